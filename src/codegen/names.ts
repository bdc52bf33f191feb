/** WGSL identifiers: valid, unique, and never hiding a built-in that generated code calls. */

const RESERVED = new Set(
  (
    'alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop override requires return struct switch true var while ' +
    'array atomic bool f16 f32 i32 u32 vec2 vec3 vec4 mat2x2 ptr sampler texture bitcast ' +
    'abs acos asin atan ceil clamp cos cosh cross dot exp exp2 floor fma fract inverseSqrt log log2 max min mix pow round select sign sin sinh sqrt step tan tanh trunc pack2x16float unpack2x16float ' +
    'workgroupBarrier storageBarrier subgroupAdd subgroupMax subgroupMin subgroupElect subgroupBroadcast subgroupShuffle ' +
    'main of in as is do new this self type use where with from final filter common buffer active input output target module private package public static struct super template typedef union unless using virtual void volatile move mod match macro pass patch precise premerge resource shared smooth snorm sample readonly regardless register null nil noinline partition point typeid typename typeof handle get set goto group highp impl implements import inline instanceof interface layout lowp mediump meta mutable namespace native noexcept noncoherent nointerpolation nonuniform wgsl writeonly yield await async attribute auto become catch class co_await co_return co_yield coherent column_major compile compile_fragment concept const_cast consteval constexpr constinit crate debugger decltype delete demote demote_to_helper dynamic_cast enum explicit export extends extern external fallthrough final finally friend fxgroup geometry global globallycoherent globallycoherent ' +
    'issued_bytes count_load count_store words value at'
  ).split(' '),
);

export class Names {
  private readonly used = new Map<string, number>();

  /** The wish, made an identifier, with a number behind it where it is taken. */
  fresh(wish: string): string {
    let base = wish.replace(/[^A-Za-z0-9_]+/g, '_').replace(/__+/g, '_').replace(/^[_0-9]+/, (c) => `x${c.replace(/_/g, '')}`);
    if (base === '' || RESERVED.has(base)) base = `${base}_`.replace(/__+$/, '_');
    if (base === '_') base = 'x';
    const count = this.used.get(base) ?? 0;
    this.used.set(base, count + 1);
    if (count === 0) return base;
    const name = `${base}_${count}`;
    return this.used.has(name) ? this.fresh(name) : (this.used.set(name, 1), name);
  }
}
