/** What names mean: the body's own, then the file's, the prelude's, and the built-in functions. */
import type { Let } from '../ast.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import { BUILTINS } from './builtins/table.ts';
import { live } from './context.ts';
import type { Context } from './context.ts';
import { Environment } from './environment.ts';
import { evaluate } from './expressions.ts';
import type { FileScope, TopLevelName } from './files.ts';
import type { Value } from './values.ts';

/** Top-level values of one elaboration; a `let` that is being evaluated is undefined. */
const cache = new WeakMap<Context, Map<TopLevelName, Value | undefined>>();

export function lookup(context: Context, name: string, env: Environment, span: Span): Value {
  const binding = env.find(name);
  if (binding) return live(context, binding.value);
  return topLevelValue(context, env.file, name, span, env);
}

/** A name that is no local one. */
export function topLevelValue(context: Context, file: FileScope, name: string, span: Span, env?: Environment): Value {
  const top = file.names.get(name) ?? file.prelude?.names.get(name);
  if (top) return valueOf(context, name, top, span);
  const builtin = BUILTINS.get(name);
  if (builtin) return { kind: 'builtin', builtin };
  if (file.broken) return context.poisoned();
  const absent = env?.whyAbsent(name);
  if (absent) return context.fail('E0201', `\`${name}\` has no value here`, span, { labels: [absent], help: 'give it a value on every way that leads here' });
  const names = visibleNames(file, env);
  context.step(span, names.length);
  const close = suggest(name, names);
  return context.fail('E0201', `\`${name}\` has no value here`, span, { help: close ? `did you mean \`${close}\`?` : 'assign it on every way that leads here' });
}

export function visibleNames(file: FileScope, env?: Environment): string[] {
  return [...(env?.names() ?? []), ...file.names.keys(), ...(file.prelude?.names.keys() ?? []), ...BUILTINS.keys()];
}

function valueOf(context: Context, name: string, top: TopLevelName, span: Span): Value {
  const { declaration, home } = top;
  if (!declaration || !home) return context.poisoned();
  switch (declaration.kind) {
    case 'let':
      return letValue(context, name, declaration, top, home, span);
    case 'function':
      return { kind: 'function', name: declaration.name.text, declaration, params: declaration.params, body: declaration.body, environment: new Environment(home) };
    case 'block':
      return { kind: 'block', declaration, home };
    case 'model':
    case 'preset':
      return { kind: 'target', declaration, home };
    default:
      return declaration satisfies never;
  }
}

/** Evaluated on first use, in its own file; `top` of an import is another object, so the home's own is the key. */
function letValue(context: Context, name: string, declaration: Let, top: TopLevelName, home: FileScope, span: Span): Value {
  let values = cache.get(context);
  if (!values) cache.set(context, (values = new Map()));
  const key = home.names.get(declaration.name.text) ?? top;
  if (values.has(key)) {
    const value = values.get(key);
    if (value !== undefined) return live(context, value);
    context.fail('E0209', `\`${name}\` is defined by itself`, span, { labels: [{ span: declaration.name.span, message: 'its value is being evaluated' }] });
  }
  values.set(key, undefined);
  try {
    const value = context.within({ declaration: undefined, name: declaration.name.text, call: span, scope: context.root, block: context.frame.block, recovers: false }, () => evaluate(context, declaration.value, new Environment(home)));
    values.set(key, value);
    return value;
  } catch (e) {
    // Failed once, reported once: later uses are silent.
    values.set(key, { kind: 'poison' });
    throw e;
  }
}
