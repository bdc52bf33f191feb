/** Weights: seeded values, safetensors and what it refuses, rename rules. */
import { describe, expect, it } from 'vitest';
import { decodeBf16, encodeBf16, fromF16, toF16 } from '../src/half.ts';
import { readGolden, difference, subsample } from '../src/weights/golden.ts';
import { resolveWeights, type Checkpoint } from '../src/weights/resolve.ts';
import { WeightsError, decodeTensor, readHeader, writeSafetensors } from '../src/weights/safetensors.ts';
import { fnv1a, seededInput, seededWeight } from '../src/weights/seeded.ts';
import type { Shape } from '../src/graph.ts';

describe('seeded values', () => {
  it('are those of the published rule', () => {
    expect(fnv1a('1:a')).toBe(874805705);
    const close = (actual: Float32Array, expected: number[]) => expected.forEach((v, i) => expect(actual[i]).toBeCloseTo(v, 6));
    close(seededWeight('blocks.0.attn.qkv.weight', [576, 192]), [-0.11787224, -0.04992256, 0.05476226, 0.03816871]);
    close(seededWeight('norm.weight', [192]), [1.1200651, 0.8271208, 0.9072653]);
    close(seededWeight('cls_token', [1, 1, 192]), [0.39168626, -0.23473834]);
    close(seededInput('image', [3]), [0.45845819, 0.91774297, -0.77421844]);
  });
});

describe('half floats', () => {
  it('every finite half survives the round trip', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromF16(bits);
      if (!Number.isNaN(value)) expect(toF16(value)).toBe(bits);
    }
  });

  it('rounds to nearest even and overflows to infinity', () => {
    expect([65519.99, 65520, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25].map(toF16)).toEqual([0x7bff, 0x7c00, 0x3c00, 0x3c02, 0, 2]);
    expect(Number.isNaN(fromF16(toF16(NaN)))).toBe(true);
  });
});

/** A file with the given header text and data bytes. */
function file(header: string, data = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

describe('bfloat16', () => {
  it('rounds to nearest even and keeps what it can hold', () => {
    expect([...decodeBf16(encodeBf16(Float32Array.of(1, -2.5, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, Infinity, NaN)))]).toEqual([1, -2.5, 1, 1 + 2 ** -6, Infinity, Infinity, NaN]);
  });
});

describe('safetensors', () => {
  it('reads what it writes', () => {
    const tensors = new Map([
      ['b.weight', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) }],
      ['a', { shape: [], data: Float32Array.of(0.1), stored: 'F16' as const }],
      ['c', { shape: [2], data: Float32Array.of(1.5, -2), stored: 'BF16' as const }],
      ['ids', { shape: [3], data: Int32Array.of(1, -2, 3) }],
    ]);
    const bytes = writeSafetensors(tensors, { note: 'x' });
    const header = readHeader(bytes, bytes.length, 'f');
    expect(header.metadata).toEqual({ note: 'x' });
    const read = (name: string) => {
      const entry = header.entries.get(name)!;
      return decodeTensor(entry, bytes.subarray(entry.start, entry.end));
    };
    expect([...read('b.weight')]).toEqual([1, 2, 3, 4, 5, 6.5]);
    expect([...read('c')]).toEqual([1.5, -2]);
    expect([...read('ids')]).toEqual([1, -2, 3]);
    expect(read('a')[0]).toBeCloseTo(0.1, 4);
  });

  it.each([
    ['too short', new Uint8Array(5), '5 bytes are too few'],
    ['an enormous header', Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), 'its header would take'],
    ['no JSON', file('{"a":'), 'the header is no JSON'],
    ['a list', file('[]'), 'no JSON object'],
    ['not UTF-8', (() => { const f = file('{"ab":1}'); f[10] = 0xff; return f; })(), 'no UTF-8'],
    ['a duplicate name', file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), 'names "a" twice'],
    ['an escaped duplicate', file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), 'names "a" twice'],
    ['an unknown dtype', file('{"w":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}', 1), '"w" has the unknown dtype "F8"'],
    ['an inherited dtype', file('{"w":{"dtype":"toString","shape":[1],"data_offsets":[0,1]}}', 1), 'unknown dtype'],
    ['a negative extent', file('{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', 4), '"w" has no valid shape'],
    ['an extent over 2^53', file('{"w":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}', 4), 'no valid shape'],
    ['extents that overflow', file('{"w":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}', 4), '"w" of U8'],
    ['offsets backwards', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[4,3]}}', 4), 'ends at 3, before it begins'],
    ['offsets past the end', file('{"w":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}', 4), '"w" ends 5 bytes past the end'],
    ['negative offsets', file('{"w":{"dtype":"U8","shape":[9],"data_offsets":[-9,0]}}', 4), 'no valid data_offsets'],
    ['a shape that does not fit', file('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4), 'needs 8 bytes'],
    ['an overlap', file('{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}', 4), '"b" overlaps "a"'],
    ['no description', file('{"w":null}'), '"w" has no description'],
    ['fractional offsets', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0.5,1.5]}}', 4), '"w" has no valid data_offsets'],
    ['offsets over 2^53', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[9007199254740992,9007199254740993]}}', 4), '"w" has no valid data_offsets'],
    ['infinite offsets', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1e999]}}', 4), '"w" has no valid data_offsets'],
    ['offsets that are texts', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":["0","1"]}}', 4), '"w" has no valid data_offsets'],
    ['three offsets', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 4), '"w" has no valid data_offsets'],
    ['offsets of an object', file('{"w":{"dtype":"U8","shape":[1],"data_offsets":{"0":0,"1":1,"length":2}}}', 4), '"w" has no valid data_offsets'],
    ['no offsets', file('{"w":{"dtype":"U8","shape":[1]}}', 4), '"w" has no valid data_offsets'],
    ['a fractional extent', file('{"w":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}', 4), '"w" has no valid shape'],
    ['too many axes', file(`{"w":{"dtype":"U8","shape":[${Array(17).fill(1).join()}],"data_offsets":[0,1]}}`, 4), '"w" has no valid shape'],
    ['a shape that is a text', file('{"w":{"dtype":"U8","shape":"1","data_offsets":[0,1]}}', 4), '"w" has no valid shape'],
    ['a dtype that is a number', file('{"w":{"dtype":4,"shape":[1],"data_offsets":[0,1]}}', 4), '"w" has the unknown dtype "4"'],
    ['a dtype of lower case', file('{"w":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}', 4), '"w" has the unknown dtype "f32"'],
    ['a dtype that is no word at all', file('{"w":{"dtype":{"toString":1},"shape":[1],"data_offsets":[0,1]}}', 4), '"w" has the unknown dtype of an object'],
    ['no dtype', file('{"w":{"shape":[1],"data_offsets":[0,1]}}', 4), '"w" has the unknown dtype "undefined"'],
    ['NaN in the header', file('{"w":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', 4), 'tensor "w" has NaN or Infinity'],
    ['NaN of a later tensor', file('{"NaN":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w\\"":{"dtype":"F32","shape":[1],"data_offsets":[NaN,4]}}', 4), 'tensor "w\\"" has NaN or Infinity'],
    ['Infinity in the header', file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,-Infinity]}}', 4), 'tensor "w" has NaN or Infinity'],
    ['NaN alone', file('NaN'), 'the header is no JSON'],
    ['a name that never ends, and NaN', file('{"w":NaN,"x'), 'tensor "w" has NaN'],
    ['a broken name, and NaN', file('{"\\u12":NaN}'), 'the header is no JSON'],
    ['a list as a description', file('{"w":[1,2]}', 4), '"w" has the unknown dtype'],
    ['a tensor inside another', file('{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 4), '"b" overlaps "a"'],
    ['the same bytes twice', file('{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', 4), '"b" overlaps "a"'],
    ['__proto__ twice', file('{"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), 'names "__proto__" twice'],
    ['a broken tensor named __proto__', file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}}', 4), '"__proto__" of F32[1] needs 4 bytes'],
    ['deep nesting', file(`{"w":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), '"w" has the unknown dtype'],
    ['nesting that never ends', file(`{"w":${'{"a":'.repeat(100_000)}`), 'the header is no JSON'],
    ['metadata that are no texts', file('{"__metadata__":{"a":1}}'), '__metadata__ "a" is no string'],
    ['metadata of another kind', file('{"__metadata__":[]}'), '__metadata__ is no object'],
    ['a header beyond the file', (() => { const f = file('{}'); f[0] = 3; return f; })(), 'its header would take 3 bytes of 10'],
    ['an empty header', file(''), 'the header is no JSON'],
    ['a very long name', file(`{"${'x'.repeat(100_000)}":null}`), `tensor "${'x'.repeat(120)}…" has no description`],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readHeader(bytes, bytes.length, 'f')).toThrow(WeightsError);
    expect(() => readHeader(bytes, bytes.length, 'f')).toThrow(message);
    expect(() => readHeader(bytes, bytes.length, 'f')).toThrow(/^f: /);
  });

  it('takes any name, and gives it back', () => {
    const names = ['__proto__', 'constructor', 'toString', '../x', '', '</script>', '\n', '\u2028', '🙂', 'x'.repeat(5000)];
    const bytes = writeSafetensors(new Map(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }])));
    const { entries } = readHeader(bytes, bytes.length, 'f');
    expect([...entries.keys()].sort()).toEqual([...names].sort());
    names.forEach((name, i) => expect(decodeTensor(entries.get(name)!, bytes.subarray(entries.get(name)!.start, entries.get(name)!.end))[0]).toBe(i));
  });
});

function checkpoint(tensors: Record<string, [Shape, number[]]>): Checkpoint {
  return {
    label: 'test',
    shapes: new Map(Object.entries(tensors).map(([name, [shape]]) => [name, shape])),
    read: (name) => Float32Array.from(tensors[name][1]),
  };
}

describe('rename rules', () => {
  it('join, transpose and fill holes', () => {
    const source = checkpoint({ 'l.0.q': [[1, 2], [1, 2]], 'l.0.k': [[1, 2], [3, 4]], 'cls.w': [[2, 3], [1, 2, 3, 4, 5, 6]] });
    const resolved = resolveWeights(
      [
        { name: 'blocks.0.qk.weight', shape: [2, 2] },
        { name: 'head.weight', shape: [3, 2] },
      ],
      [
        { kind: 'map', pattern: 'blocks.{i}.qk.weight', source: { kind: 'concat', axis: 0, of: [{ kind: 'tensor', name: 'l.{i}.q' }, { kind: 'tensor', name: 'l.{i}.k' }] } },
        { kind: 'map', pattern: 'head.{rest...}', source: { kind: 'transpose', of: { kind: 'tensor', name: 'cls.w' } } },
      ],
      source,
    );
    expect(resolved.problems).toEqual([]);
    expect([...resolved.read('blocks.0.qk.weight')]).toEqual([1, 2, 3, 4]);
    expect([...resolved.read('head.weight')]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('lists everything that does not fit', () => {
    const source = checkpoint({ 'a.weight': [[2], [0, 0]], extra: [[1], [0]], 'x.num_batches_tracked': [[], [0]], 'pos.ids': [[1], [0]] });
    const { problems } = resolveWeights([{ name: 'a.weight', shape: [3] }, { name: 'b.a.weight', shape: [2] }], [{ kind: 'ignore', pattern: '{any...}.ids' }], source);
    expect(problems.map((p) => p.message)).toEqual([
      'shape: a.weight is [3] in the model, [2] in the file',
      'missing: b.a.weight [2]; the file has a.weight',
      'unexpected: extra [1]',
    ]);
  });
});

describe('goldens', () => {
  it('says what is wrong with one', () => {
    expect(() => readGolden('{', 'g.json')).toThrow('g.json: no JSON');
    expect(() => readGolden('{"name":"x","inputs":{"a":{"dtype":"f32","shape":[-1]}}}', 'g.json')).toThrow('input a has no valid shape');
    expect(() => readGolden('{"name":"x","inputs":{"a":{"dtype":"i32","shape":[1],"rule":"7"}}}', 'g.json')).toThrow('input a has neither values nor a rule');
    expect(() => readGolden('{"name":"x","inputs":{"a":{"dtype":"i32","shape":[1],"rule":{"toString":{}}}}}', 'g.json')).toThrow('input a has neither values nor a rule');
    expect(readGolden('{"name":"x","source":{"toString":{}},"inputs":{},"outputs":{},"parameters":[]}', 'g.json').source).toBe('');
  });

  it('never lets NaN pass', () => {
    const d = difference([1, NaN], [1, 2]);
    expect(d.relative <= 1).toBe(false);
    expect(d.maxOverStd <= 1).toBe(false);
  });

  it('finds every k-th entry', () => {
    expect(subsample(Float32Array.from({ length: 10 }, (_, i) => i), [1, 10], [1, 4])).toEqual({ values: Float32Array.of(0, 3, 6, 9), strides: [1, 3] });
    expect(subsample([1, 2, 3], [3], [1, 3])).toBeUndefined();
  });
});
