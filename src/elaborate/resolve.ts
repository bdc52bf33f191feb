/** What can be told of a file before anything is evaluated: unknown names, statements and attributes out of place. */
import type { Attribute, Block, ConfigParam, Expr, Function, Model, Name, Preset, Statement, TensorType } from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import { ATTRIBUTES, attributeHelp } from './attributes.ts';
import { BUILTINS } from './builtins/table.ts';
import { LIMITS } from './context.ts';
import { isBroken } from './files.ts';
import type { FileScope } from './files.ts';
import { assignedNames } from './statements.ts';
import { SOURCES } from './weight-rules.ts';

type Report = (diagnostic: Diagnostic) => void;

/** The names that a place can see; `past` are those of loops that ended, for a better message. */
class Names {
  readonly own = new Map<string, Span>();
  readonly past = new Map<string, Span>();
  readonly parent?: Names;

  constructor(parent?: Names, names: readonly Name[] = []) {
    this.parent = parent;
    for (const n of names) this.own.set(n.text, n.span);
  }

  has(name: string): boolean {
    return this.own.has(name) || (this.parent?.has(name) ?? false);
  }

  pastOf(name: string): Span | undefined {
    return this.past.get(name) ?? this.parent?.pastOf(name);
  }

  all(): string[] {
    return [...this.own.keys(), ...(this.parent?.all() ?? [])];
  }
}

type Place = 'function' | 'block' | 'model';

/** Reports what is wrong with the names of a file; `all` are the files that were read with it, where a missing import may be found. */
export function checkNames(scope: FileScope, all: readonly FileScope[], report: Report): void {
  new Resolver(scope, all, report).file();
}

class Resolver {
  readonly #scope: FileScope;
  readonly #all: readonly FileScope[];
  readonly #report: Report;
  /** Whether enough has been reported of this file. */
  readonly #full: () => boolean;
  /** Whether names of the item at hand may have been lost with statements that could not be read. */
  #lossy = false;

  constructor(scope: FileScope, all: readonly FileScope[], report: Report) {
    this.#scope = scope;
    this.#all = all;
    let left: number = LIMITS.errors;
    this.#report = (d) => (left-- > 0 ? report(d) : undefined);
    this.#full = () => left <= 0;
  }

  file(): void {
    for (const item of this.#scope.file.items) {
      this.#lossy = 'body' in item && isBroken(item.body);
      switch (item.kind) {
        case 'import':
          break;
        case 'let':
          this.#expr(item.value, new Names());
          break;
        case 'function':
          this.#function(item);
          break;
        case 'block':
          this.#block(item);
          break;
        case 'model':
          this.#model(item);
          break;
        case 'preset':
          this.#preset(item);
          break;
        default:
          item satisfies never;
      }
    }
  }

  #function(item: Function): void {
    const names = new Names();
    this.#config(item.params, names);
    this.#body(item.body, names, 'function');
    this.#returns(item);
  }

  #block(item: Block): void {
    const names = new Names();
    this.#config(item.config, names);
    const params = new Map<string, Span>([...names.own]);
    // Bare names bind first, wherever they stand.
    for (const t of item.tensors) if (t.type) this.#bindDims(t.type, names);
    for (const t of item.tensors) {
      this.#once(t.name, params);
      if (t.default) this.#expr(t.default, names);
      if (t.type) this.#dims(t.type, names);
    }
    const heading = new Names(names);
    for (const result of item.results) this.#bindDims(result, heading);
    for (const result of item.results) this.#dims(result, heading);
    const inside = new Names(names, item.tensors.map((t) => t.name));
    this.#body(item.body, inside, 'block');
    this.#returns(item);
  }

  #model(item: Model): void {
    const names = new Names(undefined, [{ text: 'B', span: item.name.span }]);
    this.#config(item.config, names);
    this.#body(item.body, names, 'model');
  }

  #preset(item: Preset): void {
    const top = this.#scope.names.get(item.model.text);
    if (!top) {
      const close = suggest(item.model.text, [...this.#scope.names].filter(([, n]) => n.declaration?.kind === 'model' || n.declaration?.kind === 'preset').map(([n]) => n));
      this.#report(error('E0201', `there is no model or preset \`${item.model.text}\``, item.model.span, { help: close ? `did you mean \`${close}\`?` : 'declare it in this file, or import it' }));
    }
    const names = new Names();
    for (const a of item.args) this.#expr(a.value, names);
    this.#attributes(item.attributes, 'preset', names);
  }

  #config(params: readonly ConfigParam[], names: Names): void {
    const seen = new Map<string, Span>();
    for (const p of params) {
      if (p.default) this.#expr(p.default, names);
      this.#once(p.name, seen);
      names.own.set(p.name.text, p.name.span);
    }
  }

  #once(name: Name, seen: Map<string, Span>): void {
    const before = seen.get(name.text);
    if (before) this.#report(error('E0202', `\`${name.text}\` is declared twice`, name.span, { labels: [{ span: before, message: 'first here' }], help: 'rename one' }));
    seen.set(name.text, name.span);
  }

  /** Whether a bare name in a shape means something already. */
  #means(name: string, names: Names): boolean {
    return names.has(name) || this.#scope.names.get(name)?.declaration?.kind === 'let';
  }

  #bindDims(type: TensorType, names: Names): void {
    for (const d of type.dims) {
      const name = d.kind === 'rest' ? d.name : d.kind === 'dim' && d.value.kind === 'name' ? d.value : undefined;
      if (name && !this.#means(name.text, names)) names.own.set(name.text, name.span);
    }
  }

  #dims(type: TensorType, names: Names): void {
    for (const d of type.dims) {
      if (d.kind === 'dim') this.#expr(d.value, names);
      else if (d.kind === 'rest' && d.name) this.#name(d.name.text, d.name.span, names);
    }
  }

  /** The extents of a parameter or an input: every name must mean something. */
  #knownDims(type: TensorType, names: Names, place: 'param' | 'input'): void {
    if (place === 'param') return this.#dims(type, names);
    for (const d of type.dims) {
      if (d.kind === 'dim' && d.value.kind === 'name' && !names.has(d.value.text) && !this.#visible(d.value.text)) {
        const close = suggest(d.value.text, names.all());
        this.#report(error('E0606', `\`${d.value.text}\` is no configuration of the model; in an input only \`B\`, the batch, is free`, d.span, { help: close ? `did you mean \`${close}\`?` : `declare it: \`model ...(${d.value.text} = ...)\`` }));
        names.own.set(d.value.text, d.span);
      } else if (d.kind === 'dim') this.#expr(d.value, names);
      else if (d.kind === 'rest' && d.name) this.#name(d.name.text, d.name.span, names);
    }
  }

  #returns(item: Function | Block): void {
    const returns = (body: readonly Statement[]): boolean => body.some((s) => s.kind === 'return' || s.kind === 'errorStatement' || (s.kind === 'if' && (returns(s.then) || returns(s.else ?? []))) || (s.kind === 'for' && returns(s.body)));
    if (returns(item.body)) return;
    this.#report(error('E0314', `the ${item.kind} \`${item.name.text}\` has no \`return\``, item.name.span, { help: 'say what it gives: `return y`' }));
  }

  #body(body: readonly Statement[], names: Names, place: Place): void {
    for (const s of body) this.#statement(s, names, place);
  }

  #statement(s: Statement, names: Names, place: Place): void {
    switch (s.kind) {
      case 'assign': {
        this.#expr(s.value, names);
        const seen = new Map<string, Span>();
        for (const t of s.targets) if (t.text !== '_') this.#once(t, seen);
        break;
      }
      case 'param':
        if (place === 'function') this.#misplaced('param', 'a function', s.span, 'functions have no weights: declare it in a block');
        this.#knownDims(s.type, names, 'param');
        this.#attributes(s.attributes, 'param', names);
        break;
      case 'input':
        if (place !== 'model') this.#misplaced('input', `a ${place}`, s.span, place === 'block' ? 'a block gets tensors through its second list: `block X()(x: [B, N, D])`' : 'a function gets values through its arguments');
        this.#knownDims(s.type, names, 'input');
        this.#attributes(s.attributes, 'input', names);
        break;
      case 'output':
        if (place !== 'model') this.#misplaced('output', `a ${place}`, s.span, 'give it back with `return`');
        this.#expr(s.value, names);
        if (s.type) {
          const heading = new Names(names);
          this.#bindDims(s.type, heading);
          this.#dims(s.type, heading);
        }
        this.#attributes(s.attributes, 'output', names);
        break;
      case 'for': {
        this.#expr(s.iterable, names);
        const inside = new Names(names, s.targets.filter((t) => t.text !== '_'));
        this.#body(s.body, inside, place);
        for (const n of assignedNames(s.body)) if (!names.has(n.text)) names.past.set(n.text, n.span);
        return;
      }
      case 'if':
        this.#expr(s.condition, names);
        this.#body(s.then, names, place);
        this.#body(s.else ?? [], names, place);
        return;
      case 'return':
        if (place === 'model') this.#misplaced('return', 'a model', s.span, 'say what the model computes with `output name = ...`');
        for (const v of s.values) this.#expr(v, names);
        break;
      case 'assert':
        this.#expr(s.condition, names);
        if (s.message) this.#expr(s.message, names);
        break;
      case 'weights': {
        if (place !== 'model') this.#misplaced('weights', `a ${place}`, s.span, 'weight rules belong to the model');
        const inside = new Names(names, SOURCES.map((b) => ({ text: b.name, span: s.span })));
        for (const r of s.rules) if (r.kind === 'map') this.#expr(r.value, inside);
        break;
      }
      case 'errorStatement':
        break;
      default:
        s satisfies never;
    }
    for (const n of assignedNames([s])) names.own.set(n.text, n.span);
  }

  #misplaced(what: string, where: string, span: Span, help: string): void {
    this.#report(error('E0212', `\`${what}\` cannot stand in ${where}`, { ...span, end: Math.min(span.end, span.start + what.length) }, { help }));
  }

  #attributes(attributes: readonly Attribute[], place: keyof typeof ATTRIBUTES, names: Names): void {
    const allowed: readonly string[] = ATTRIBUTES[place];
    for (const a of attributes) {
      if (place !== 'output' && !allowed.includes(a.name.text)) {
        this.#report(error('E0607', `there is no attribute \`@${a.name.text}\` for ${place === 'input' ? 'an' : 'a'} ${place}`, a.name.span, { help: attributeHelp(a.name.text, place) }));
      }
      for (const arg of a.args) this.#expr(arg.value, names);
    }
  }

  #visible(name: string): boolean {
    return this.#scope.names.has(name) || (this.#scope.prelude?.names.has(name) ?? false) || BUILTINS.has(name);
  }

  #name(text: string, span: Span, names: Names): void {
    if (this.#lossy || this.#full() || names.has(text) || this.#visible(text)) return;
    const past = names.pastOf(text);
    if (past) {
      this.#report(error('E0207', `\`${text}\` is assigned inside a loop and has no value after it`, span, { labels: [{ span: past, message: 'stays inside the loop' }], help: `give \`${text}\` a value before the loop; the loop then carries it on` }));
      return;
    }
    const source = this.#all.find((s) => s.path.startsWith('std/') && s.names.get(text)?.home === s);
    const close = suggest(text, [...names.all(), ...this.#scope.names.keys(), ...(this.#scope.prelude?.names.keys() ?? []), ...BUILTINS.keys()]);
    const help = source ? `import it: \`import { ${text} } from "${source.path}"\`` : close ? `did you mean \`${close}\`?` : 'assign it before, or import it';
    this.#report(error('E0201', `there is no \`${text}\` here`, span, { help }));
  }

  #expr(e: Expr, names: Names): void {
    switch (e.kind) {
      case 'number':
      case 'string':
      case 'bool':
      case 'none':
      case 'errorExpr':
        return;
      case 'name':
        return this.#name(e.text, e.span, names);
      case 'list':
        return e.items.forEach((i) => this.#expr(i, names));
      case 'comprehension': {
        this.#expr(e.iterable, names);
        const inside = new Names(names, e.targets.filter((t) => t.text !== '_'));
        if (e.condition) this.#expr(e.condition, inside);
        return this.#expr(e.value, inside);
      }
      case 'unary':
        return this.#expr(e.operand, names);
      case 'binary':
        this.#expr(e.left, names);
        this.#expr(e.right, names);
        if (e.step) this.#expr(e.step, names);
        return;
      case 'conditional':
        this.#expr(e.condition, names);
        this.#expr(e.then, names);
        return this.#expr(e.else, names);
      case 'call':
        this.#expr(e.callee, names);
        return e.args.forEach((a) => this.#expr(a.value, names));
      case 'subscript':
        this.#expr(e.object, names);
        for (const i of e.items) {
          if (i.kind === 'index') this.#expr(i.value, names);
          else if (i.kind === 'slice') for (const part of [i.start, i.stop, i.step]) if (part) this.#expr(part, names);
        }
        return;
      case 'member':
        return this.#expr(e.object, names);
      case 'lambda': {
        const inside = new Names(names);
        this.#config(e.params, inside);
        return this.#expr(e.body, inside);
      }
      case 'labelled':
        for (const part of e.label) if (part.kind === 'index') this.#expr(part.value, names);
        return this.#expr(e.value, names);
      default:
        e satisfies never;
    }
  }
}
