/** A program that answers requests, a JSON object a line on its standard input and output. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Why a peer gave no answer, for people. */
export class PeerError extends Error {}

/** Characters of standard error that are kept to say why a program ended. */
const TAIL = 2000;

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (why: PeerError) => void;
}

/** Started when first asked, and again where it ended since. */
export class PeerProcess {
  #child?: ChildProcessWithoutNullStreams;
  #next = 1;
  #tail = '';
  readonly #waiting = new Map<number, Waiting>();

  constructor(private readonly command: string, private readonly args: readonly string[], private readonly seconds: number) {}

  /** One request, one answer. Throws PeerError where the program refuses, ends, does not start, or takes too long: then it is ended. */
  async ask<Answer>(op: string, request: object = {}): Promise<Answer> {
    const child = (this.#child ??= this.#start());
    const id = this.#next++;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(() => {
          reject(new PeerError(`gave no answer to ${op} in ${this.seconds} s`));
          this.close();
        }, 1000 * this.seconds);
        child.stdin.write(`${JSON.stringify({ id, op, ...request })}\n`);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcessWithoutNullStreams {
    const child = spawn(this.command, this.args);
    this.#tail = '';
    const ended = (why: string): void => {
      if (this.#child === child) this.#child = undefined;
      for (const { reject } of this.#waiting.values()) reject(new PeerError(why));
    };
    child.on('error', (cause: NodeJS.ErrnoException) => ended(cause.code === 'ENOENT' ? `there is no program ${this.command}` : cause.message));
    child.on('close', (code, signal) => ended(`ended (${signal ?? code})${this.#lastWords()}`));
    // Writing to a program that just ended is told by its end.
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-TAIL);
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#answer(line));
    return child;
  }

  #answer(line: string): void {
    let answer: { readonly id?: number; readonly error?: string };
    try {
      answer = JSON.parse(line) as typeof answer;
    } catch {
      // Libraries print what they like.
      this.#tail = `${this.#tail}${line}\n`.slice(-TAIL);
      return;
    }
    const waiting = this.#waiting.get(answer?.id ?? -1);
    if (answer?.error === undefined) waiting?.resolve(answer as never);
    else waiting?.reject(new PeerError(answer.error));
  }

  #lastWords(): string {
    const last = this.#tail.trim().split('\n').at(-1);
    return last ? `: ${last.slice(0, 300)}` : '';
  }
}
