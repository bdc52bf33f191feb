/** Plain values in the text forms of the compiler's levels: numbers, booleans, strings, lists, records; and checks of them. */

export type Value = number | boolean | string | readonly Value[] | { readonly [key: string]: Value };
export type RecordValue = { readonly [key: string]: Value };

/** A word stands for a string unless it means something else. */
const WORD = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RESERVED = new Set(['true', 'false', 'inf']);
/** Deep enough for every honest value; a guard of the reader's stack. */
const MAX_DEPTH = 64;

/** Infinities are `inf` and `-inf`, strings are words or JSON strings, absent entries of records are left out. */
export function printValue(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? String(value) : value < 0 ? '-inf' : 'inf';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return WORD.test(value) && !RESERVED.has(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{${present(value).map(([k, v]) => `${printValue(k)}: ${printValue(v)}`).join(', ')}}`;
  throw new Error(`bug: ${typeof value} has no text form`);
}

/** `name=value name=value` */
export function printFields(fields: object): string {
  return present(fields).map(([name, value]) => `${name}=${printValue(value)}`).join(' ');
}

function present(fields: object): [string, unknown][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

/** What a text says that it should not; caught by whoever reads the text. */
export class TextError extends Error {}

/** Reads one line from left to right. `#` outside strings starts a comment. */
export class LineReader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Takes what matches here, blanks before it skipped. The pattern must be sticky. */
  match(pattern: RegExp): string | undefined {
    const blank = /\s*(?:#[^]*)?/y;
    blank.lastIndex = this.#at;
    pattern.lastIndex = this.#at + blank.exec(this.#text)![0].length;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at = pattern.lastIndex;
    return found;
  }

  take(token: string): boolean {
    return this.match(new RegExp(token.replace(/[^A-Za-z]/g, '\\$&'), 'y')) !== undefined;
  }

  expect(token: string): void {
    if (!this.take(token)) this.fail(`'${token}'`);
  }

  get atEnd(): boolean {
    return this.match(/$/y) !== undefined;
  }

  fail(expected: string): never {
    const rest = this.#text.slice(this.#at).trim();
    throw new TextError(`expected ${expected}, found ${rest === '' ? 'the end of the line' : `'${rest.slice(0, 30)}'`}`);
  }

  word(what: string): string {
    return this.match(/[A-Za-z_][A-Za-z0-9_]*/y) ?? this.fail(what);
  }

  value(depth = 0): Value {
    if (depth > MAX_DEPTH) throw new TextError(`values are nested more than ${MAX_DEPTH} deep`);
    const number = this.match(/-?(?:inf\b|\d+(?:\.\d+)?(?:e[+-]?\d+)?)/y);
    if (number !== undefined) return number.endsWith('inf') ? (number[0] === '-' ? -Infinity : Infinity) : Number(number);
    if (this.take('[')) return this.#list(']', () => this.value(depth + 1));
    if (this.take('{')) return Object.fromEntries(this.#list('}', () => this.#entry(depth)));
    const text = this.string('a value');
    return text.bare && (text.value === 'true' || text.value === 'false') ? text.value === 'true' : text.value;
  }

  /** A word or a JSON string. */
  string(what: string): { readonly value: string; readonly bare: boolean } {
    const quoted = this.match(/"(?:[^"\\]|\\.)*"/y);
    if (quoted === undefined) return { value: this.word(what), bare: true };
    try {
      return { value: JSON.parse(quoted) as string, bare: false };
    } catch {
      throw new TextError(`${quoted.slice(0, 30)} is no JSON string`);
    }
  }

  /** `name=value ...` as far as it goes. */
  fields(): RecordValue {
    const entries: [string, Value][] = [];
    for (let name = this.match(/[A-Za-z_][A-Za-z0-9_]*(?==)/y); name !== undefined; name = this.match(/[A-Za-z_][A-Za-z0-9_]*(?==)/y)) {
      this.expect('=');
      entries.push([name, this.value()]);
    }
    return Object.fromEntries(entries);
  }

  #entry(depth: number): [string, Value] {
    const key = this.string('a name').value;
    this.expect(':');
    return [key, this.value(depth + 1)];
  }

  #list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.take(close)) {
      if (items.length > 0) this.expect(',');
      items.push(item());
    }
    return items;
  }
}

/** What a value must be; undefined where it is that. */
export type Check = (value: Value) => string | undefined;

export const number: Check = (v) => (typeof v === 'number' ? undefined : 'a number');
export const integer: Check = (v) => (Number.isSafeInteger(v) ? undefined : 'an integer');
export const boolean: Check = (v) => (typeof v === 'boolean' ? undefined : 'true or false');
export const string: Check = (v) => (typeof v === 'string' ? undefined : 'a string');
export const oneOf = (...words: string[]): Check => (v) => (words.includes(v as string) ? undefined : `one of ${words.join(', ')}`);
export const list = (item: Check): Check => (v) => (Array.isArray(v) ? first(v.map(item), (i, e) => `${e} as item ${i}`) : 'a list');
export const either = (...checks: Check[]): Check => (v) => {
  const found = checks.map((c) => c(v));
  return found.includes(undefined) ? undefined : found.join(' or ');
};
/** Any names, each with a value of this kind. */
export const recordOf = (item: Check): Check => (v) => (isRecord(v) ? first(Object.values(v).map(item), (i, e) => `${e} as ${Object.keys(v)[i]}`) : 'a record');

/** These names and no others; `optional` ones may be absent. */
export const record = (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check => (v) => {
  if (!isRecord(v)) return 'a record';
  const missing = Object.keys(required).find((k) => !Object.hasOwn(v, k));
  if (missing !== undefined) return `an entry ${missing}`;
  for (const [key, value] of Object.entries(v)) {
    const check = Object.hasOwn(required, key) ? required[key] : Object.hasOwn(optional, key) ? optional[key] : undefined;
    if (!check) return `no entry ${key}`;
    const wrong = check(value);
    if (wrong !== undefined) return `${wrong} as ${key}`;
  }
  return undefined;
};

/** The value itself, known to be a T by its check. */
export function checked<T>(what: string, value: Value, check: Check): T {
  const wrong = check(value);
  if (wrong !== undefined) throw new TextError(`${what}: expected ${wrong}`);
  return value as unknown as T;
}

function isRecord(v: Value): v is RecordValue {
  return typeof v === 'object' && !Array.isArray(v);
}

function first(errors: readonly (string | undefined)[], say: (index: number, error: string) => string): string | undefined {
  const index = errors.findIndex((e) => e !== undefined);
  return index < 0 ? undefined : say(index, errors[index]!);
}
