/**
 * Whether threads of a workgroup meet before they read what others wrote, told from the WGSL tree: a CPU adapter runs the
 * threads of a workgroup one after the other between barriers, so that numbers may not show a barrier that is missing.
 *
 * Between two barriers no workgroup variable may be read at another address than where it was written before, nor be written
 * at another address than where an earlier statement outside of the same branch read it. Addresses are compared by their text.
 * Bodies of loops are gone through twice, so that the end of a turn meets the next turn's beginning.
 */
import type { WgslExpr, WgslModule, WgslStatement } from '../../src/codegen/wgsl.ts';

interface State {
  /** By variable: addresses written and read since the last barrier; reads with the branch that they stand in. */
  readonly writes: Map<string, Set<string>>;
  readonly reads: Map<string, Map<string, object>>;
}

export function missingBarriers(module: WgslModule): string[] {
  if (module.workgroupVars.length === 0) return [];
  const shared = new Set(module.workgroupVars.map((v) => v.name));
  const found = new Set<string>();
  run(module.body, { writes: new Map(), reads: new Map() }, {}, shared, found);
  return [...found];
}

function run(body: readonly WgslStatement[], state: State, branch: object, shared: ReadonlySet<string>, found: Set<string>): void {
  const read = (e: WgslExpr): void => {
    for (const { name, at } of accesses(e, shared)) {
      const others = [...(state.writes.get(name) ?? [])].filter((w) => w !== at);
      if (others.length > 0) found.add(`${name} is read at ${at} where it may have been written at ${others[0]} since the last barrier`);
      const known = state.reads.get(name) ?? new Map<string, object>();
      state.reads.set(name, known.set(at, branch));
    }
  };
  const write = (name: string, at: string): void => {
    const others = [...(state.reads.get(name) ?? [])].filter(([r, where]) => r !== at && where !== branch);
    if (others.length > 0) found.add(`${name} is written at ${at} where it may have been read at ${others[0][0]} since the last barrier`);
    state.writes.set(name, (state.writes.get(name) ?? new Set()).add(at));
  };
  for (const s of body) {
    switch (s.kind) {
      case 'barrier':
        state.writes.clear();
        state.reads.clear();
        break;
      case 'let':
      case 'var':
      case 'return':
        if (s.value) read(s.value);
        break;
      case 'assign': {
        read(s.value);
        const target = accesses(s.target, shared)[0];
        if (s.op) read(s.target);
        if (target) write(target.name, target.at);
        break;
      }
      case 'store':
        read(s.value);
        read(s.at);
        break;
      case 'matrixStore':
        read(s.value);
        if (s.to.space === 'workgroup') write(s.to.name, text(s.offset));
        break;
      case 'for':
        run(s.body, state, s, shared, found);
        run(s.body, state, {}, shared, found);
        break;
      case 'if': {
        read(s.condition);
        // Either may be taken; what one has met in, the other may not have.
        const before = copy(state);
        run(s.then, state, s.then, shared, found);
        const other = before;
        run(s.else ?? [], other, s.else ?? s, shared, found);
        join(state, other);
        break;
      }
      case 'block':
        run(s.body, state, branch, shared, found);
        break;
      case 'comment':
        break;
      default:
        s satisfies never;
    }
  }
}

function copy({ writes, reads }: State): State {
  return { writes: new Map([...writes].map(([k, v]) => [k, new Set(v)])), reads: new Map([...reads].map(([k, v]) => [k, new Map(v)])) };
}

function join(into: State, other: State): void {
  for (const [name, at] of other.writes) into.writes.set(name, new Set([...(into.writes.get(name) ?? []), ...at]));
  for (const [name, at] of other.reads) into.reads.set(name, new Map([...(into.reads.get(name) ?? []), ...at]));
}

/** Elements of workgroup variables in an expression. */
function accesses(e: WgslExpr, shared: ReadonlySet<string>): { readonly name: string; readonly at: string }[] {
  switch (e.kind) {
    case 'literal':
    case 'ref':
      return [];
    case 'element': {
      const inner = e.of.kind === 'ref' && shared.has(e.of.name) ? [{ name: e.of.name, at: text(e.at) }] : accesses(e.of, shared);
      return [...inner, ...accesses(e.at, shared)];
    }
    case 'unary':
    case 'bitcast':
      return accesses(e.a, shared);
    case 'binary':
      return [...accesses(e.a, shared), ...accesses(e.b, shared)];
    case 'call':
    case 'construct':
      return e.args.flatMap((a) => accesses(a, shared));
    case 'load':
      return accesses(e.at, shared);
    case 'matrixLoad':
      return e.from.space === 'workgroup' ? [{ name: e.from.name, at: text(e.offset) }] : accesses(e.offset, shared);
    default:
      return e satisfies never;
  }
}

/** Names and numbers of an expression, in order: enough to tell addresses apart. */
function text(e: WgslExpr): string {
  switch (e.kind) {
    case 'literal':
      return String(e.value);
    case 'ref':
      return e.name;
    case 'unary':
    case 'bitcast':
      return `${e.kind}(${text(e.a)})`;
    case 'binary':
      return `(${text(e.a)} ${e.op} ${text(e.b)})`;
    case 'call':
    case 'construct':
      return `${e.kind}(${e.args.map(text).join(', ')})`;
    case 'element':
      return `${text(e.of)}[${text(e.at)}]`;
    case 'load':
      return `${e.binding}[${text(e.at)}]`;
    case 'matrixLoad':
      return `${e.from.name}[${text(e.offset)}]`;
    default:
      return e satisfies never;
  }
}
