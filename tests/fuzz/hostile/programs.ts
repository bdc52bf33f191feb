/** Random programs: whatever the grammar allows, and models that mostly elaborate. */
import type { Random } from '../../helpers/random.ts';

const NAMES = ['x', 'y', 'B', 'N', 'D', 'heads', 'f', 'Mlp', 'from', 'as', 'ignore', '_', '_1', 'constructor', '__proto__', 'toString', 'con'];
/** After a dot, in labels and as attributes, words of the language are names too. */
const WORDS = [...NAMES, 'output', 'block', 'in', 'not', 'if', 'weights', 'none'];
const STRINGS = ['""', '"a"', '"b n d -> b (n d)"', '"\\n\\t\\"\\\\"', '"\\u{1F600}"', '"</script>"', '"*/"', '"{p}.weight"', '"{any...}.ids"', '"std/layers"', '"./x"', '"é 🙂"'];
const TYPES = ['int', 'number', 'bool', 'string', 'list', 'block', 'function', 'tensor', 'any'];

/** Every rule of the grammar, with sentences of bounded size. */
export class Sentences {
  #left = 0;

  constructor(private readonly random: Random) {}

  file(): string {
    this.#left = this.random.integer(2, 40);
    const parts = this.some(1, 4, () => this.#item());
    if (this.random.chance(0.2)) parts.unshift('//! about the file');
    return `${this.#comments(parts.join(this.random.pick(['\n', '\n\n', ' ', '; '])))}\n`;
  }

  private some(low: number, high: number, make: () => string): string[] {
    return Array.from({ length: this.random.integer(low, high) }, make);
  }

  private list(low: number, high: number, make: () => string): string {
    const items = this.some(low, high, make);
    return items.join(', ') + (items.length > 0 && this.random.chance(0.15) ? ',' : '');
  }

  private maybe(make: () => string, probability = 0.4): string {
    return this.random.chance(probability) ? make() : '';
  }

  /** Line breaks and comments where blanks are, outside strings and comments. */
  #comments(text: string): string {
    if (this.random.chance(0.5)) return text;
    return text.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[ \n]/g, (found) => (/^[ \n]$/.test(found) && this.random.chance(0.12) ? this.random.pick(['\n', '\n\n\n', '  ', ' // note\n', '\n// note\n', '\n/// doc\n', '\t']) : found));
  }

  #doc(): string {
    return this.maybe(() => `/// ${this.random.pick(['One line.', 'A */ line.', '`x` <b>', ''])}\n`, 0.15);
  }

  name(): string {
    return this.random.pick(NAMES);
  }

  /** One of `words`; now and then a word of the language, which is an error there. */
  #word(words: readonly string[]): string {
    return this.random.pick(this.random.chance(0.01) ? WORDS : words);
  }

  #names(): string {
    return this.some(1, 3, () => this.name()).join(', ');
  }

  #item(): string {
    const r = this.random;
    switch (r.integer(0, 6)) {
      case 0: return `import { ${this.list(1, 3, () => this.name() + this.maybe(() => ` as ${this.name()}`))} } from ${r.pick(STRINGS)}`;
      case 1: return `${this.#doc()}let ${this.name()} = ${this.expression()}`;
      case 2: return `${this.#doc()}fn ${this.name()}${this.#config()} ${r.chance(0.5) ? `= ${this.expression()}` : this.#body()}`;
      case 3: return `${this.#doc()}block ${this.name()}${this.#config()}(${this.list(0, 3, () => this.#word(NAMES) + this.maybe(() => `: ${this.#type()}`) + this.maybe(() => ` = ${this.expression()}`, 0.2))})${this.maybe(() => ` -> ${this.some(1, 2, () => this.#type()).join(', ')}`)} ${this.#body()}`;
      case 4: return `${this.#doc()}preset ${this.name()} = ${this.name()}(${this.#arguments()})${this.#attributes()}`;
      default: return `${this.#doc()}model ${this.name()}${this.#config()} ${this.#body()}`;
    }
  }

  #config(): string {
    return `(${this.list(0, 3, () => this.#word(NAMES) + this.maybe(() => `: ${this.random.pick(TYPES)}`) + this.maybe(() => ` = ${this.expression()}`))})`;
  }

  #type(): string {
    const r = this.random;
    return `${this.maybe(() => r.pick(['f32', 'i32', 'bool']), 0.2)}[${this.list(0, 4, () => (r.chance(0.15) ? `...${this.maybe(() => this.name())}` : this.expression()))}]`;
  }

  #attributes(): string {
    return this.random.chance(0.7) ? '' : this.some(1, 2, () => ` @${this.random.pick([...WORDS, 'image', 'labels', 'name', 'buffer'])}${this.maybe(() => `(${this.#arguments()})`)}`).join('');
  }

  #arguments(): string {
    const { random: r } = this;
    let named = false;
    return this.list(0, 3, () => ((named ||= r.chance(0.3)) && !r.chance(0.01) ? `${this.name()} = ` : '') + this.expression());
  }

  #body(): string {
    return `{ ${this.some(0, this.#left > 0 ? 4 : 0, () => this.#statement()).join(this.random.pick([' ', '\n', '; ']))} }`;
  }

  #statement(): string {
    const r = this.random;
    switch (r.integer(0, 9)) {
      case 0: return `${this.#doc()}param ${this.name()}: ${this.#type()}${this.#attributes()}`;
      case 1: return `${this.#doc()}input ${this.name()}: ${this.#type()}${this.#attributes()}`;
      case 2: return `${this.#doc()}output ${this.name()}${this.maybe(() => `: ${this.#type()}`, 0.2)} = ${this.expression()}${this.#attributes()}`;
      case 3: return `for ${this.#names()} in ${this.expression()} ${this.#body()}`;
      case 4: return `if ${this.expression()} ${this.#body()}${this.maybe(() => ` else if ${this.expression()} ${this.#body()}`, 0.2)}${this.maybe(() => ` else ${this.#body()}`)}`;
      case 5: return `return ${this.some(1, 2, () => this.expression()).join(', ')}`;
      case 6: return `assert ${this.expression()}${this.maybe(() => `, ${this.expression()}`)}`;
      case 7: return `weights { ${this.some(0, 3, () => (r.chance(0.5) ? `${r.pick(STRINGS)} = ${this.expression()}` : `ignore ${r.pick(STRINGS)}`)).join(r.pick([' ', '; ', '\n']))} }`;
      default: return `${this.#names()} = ${this.expression()}`;
    }
  }

  expression(): string {
    const r = this.random;
    if (--this.#left < 0) return r.pick(['1', 'x', '"s"', 'none', '0.5', 'true']);
    switch (r.integer(0, 15)) {
      case 0: return `if ${this.expression()} then ${this.expression()} else ${this.expression()}`;
      case 1: return `fn ${this.#config()} => ${this.expression()}`;
      case 2:
      case 3: return this.#arithmetic();
      case 4: return `${this.#arithmetic()} ${r.pick(['==', '!=', '<', '<=', '>', '>='])} ${this.#arithmetic()}`;
      case 5: return `${this.#arithmetic()} .. ${this.#arithmetic()}${this.maybe(() => ` by ${this.#arithmetic()}`)}`;
      case 6: return this.some(2, 3, () => this.maybe(() => r.pick(['not ', 'not not ']), 0.3) + this.#arithmetic()).join(r.pick([' and ', ' or ']));
      case 7: return this.some(2, 4, () => this.#operand()).reduce((x, y) => `${x} ${r.pick(['+', '**', '==', '<', 'and', 'or', '..', '%'])} ${y}`);
      default: return this.#operand();
    }
  }

  #arithmetic(): string {
    return this.some(1, 4, () => this.#operand()).reduce((a, b) => `${a} ${this.random.pick(['+', '-', '*', '/', '%', '**'])} ${b}`);
  }

  #operand(): string {
    const r = this.random;
    const prefix = this.maybe(() => r.pick(['-', '- -']), 0.1);
    const label = this.maybe(() => `${(r.chance(0.05) ? r.pick(['output', 'block']) : r.pick(['x', 'y', '_']))}${this.some(0, 2, () => (r.chance(0.5) ? `.${r.pick(WORDS)}` : `[${this.expression()}]`)).join('')}: `, 0.08);
    return prefix + label + this.#primary() + (r.chance(0.7) ? '' : this.some(1, 2, () => this.#postfix()).join(''));
  }

  #primary(): string {
    const r = this.random;
    switch (this.#left < 0 ? 0 : r.integer(0, 9)) {
      case 0:
      case 1: return r.pick(r.chance(0.01) ? ['9007199254740993', '1e400', '1_000'] : ['0', '1', '12', '0.5', '1e-6', '9007199254740991']);
      case 2: return r.pick(STRINGS);
      case 3: return r.pick(['true', 'false', 'none']);
      case 4: return `[${this.list(0, 3, () => this.expression())}]`;
      case 5: return `[${this.expression()} for ${this.#names()} in ${this.expression()}${this.maybe(() => ` if ${this.expression()}`)}]`;
      case 6: return `(${this.list(1, 3, () => this.expression())})`;
      default: return this.name();
    }
  }

  #postfix(): string {
    const r = this.random;
    if (r.chance(0.4)) return `(${this.#arguments()})`;
    if (r.chance(0.3)) return `.${r.pick(WORDS)}`;
    return `[${this.list(1, 3, () => {
      const kind = r.integer(0, 3);
      if (kind === 0) return '...';
      // A colon is a slice's there.
      if (kind === 1) return r.chance(0.95) ? `(${this.expression()})` : this.expression();
      const bound = () => this.maybe(() => (r.chance(0.95) ? this.name() : this.expression()));
      return `${bound()}:${bound()}${this.maybe(() => `:${bound()}`, 0.3)}`;
    })}]`;
  }
}

/** A model over x: [B, 4, 6] whose statements keep a shape that is known, so that most of them elaborate. */
export function soundModel(random: Random): string {
  const r = random;
  const lines: string[] = [];
  let shape = [4, 6];
  const size = (at: number) => shape[at];
  for (let i = r.integer(1, 7); i > 0; i--) {
    const axis = r.integer(1, shape.length);
    const last = shape.length - 1;
    switch (r.integer(0, 11)) {
      case 0: lines.push(`x = ${r.pick(['gelu', 'relu', 'softmax', 'abs', 'exp', 'sigmoid', 'tanh'])}(x)`); break;
      case 1: lines.push(`x = l${i}: Linear(${(shape[last] = r.pick([1, 3, 5, 6]))})(x)`); break;
      case 2: lines.push(`x = x ${r.pick(['+', '-', '*', '/'])} ${r.pick(['2', '0.5', '1e-3', 'x', 'sum(x)', '(0 - 3)'])}`); break;
      case 3: {
        lines.push(`x = transpose(x, [0, ${shape.map((_, k) => shape.length - k).join(', ')}])`);
        shape.reverse();
        break;
      }
      case 4: {
        const cut = r.integer(1, size(axis - 1));
        lines.push(`x = x[:${', :'.repeat(axis - 1)}, 0:${cut}]`);
        shape[axis - 1] = cut;
        break;
      }
      case 5: {
        lines.push(`x = concat([x, x * 2], axis = ${axis})`);
        shape[axis - 1] *= 2;
        break;
      }
      case 6: {
        lines.push(`x = reshape(x, [B, ${shape.reduce((a, b) => a * b, 1)}])`);
        shape = [shape.reduce((a, b) => a * b, 1)];
        break;
      }
      case 7: lines.push(`param w${i}: [${shape.join(', ')}]`, `x = x + w${i}`); break;
      case 8: lines.push(`for i in 0..${r.integer(0, 3)} { x = blocks${i}[i]: Linear(${shape[last]})(x) }`); break;
      case 9: lines.push(`if ${r.pick(['depth > 1', 'depth == 1', 'true', 'size % 2 == 0'])} { x = x * ${r.pick(['depth', 'size', '2'])} } else { x = -x }`); break;
      case 10: lines.push(`x = where(x > ${r.pick(['0', 'x * 2', '0.5'])}, x, ${r.pick(['0', '-x', 'x'])})`); break;
      default: lines.push(`x = norm${i}: LayerNorm()(x)`);
    }
  }
  return `import { Linear } from "std/layers"
import { LayerNorm } from "std/norms"

/// A model.
model M(size = ${r.pick(['8', '4', '2 ** 3'])}, depth = ${r.pick(['1', '2', '[1, 2][0]'])}) {
  input x: [B, 4, 6]
  ${lines.join('\n  ')}
  output y = x
}
`;
}
