/** Weights from a hub, against a server on this machine. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliError } from '../src/cli/errors.ts';
import { parseHubName, pull } from '../src/cli/hub.ts';
import { writeSafetensors } from '../src/weights/safetensors.ts';

const bytes = writeSafetensors(new Map([['w', { shape: [4096], data: Float32Array.from({ length: 4096 }, (_, i) => i) }]]));
const sha256 = createHash('sha256').update(bytes).digest('hex');

let server: Server;
let endpoint: string;
let cache: string;
let ranges: (string | undefined)[];
/** How many bytes the server sends before it hangs up; Infinity: all. */
let patience: number;
let served: Uint8Array;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? '';
  if (url.startsWith('/api/models/some/model/tree/main')) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify([
      { type: 'file', path: 'README.md', size: 3, oid: 'a'.repeat(40) },
      { type: 'file', path: 'model.safetensors', size: bytes.length, oid: 'b'.repeat(40), lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } },
      { type: 'file', path: '../../escape.safetensors', size: 1, oid: 'c'.repeat(40) },
    ]));
  } else if (url === '/some/model/resolve/main/model.safetensors') {
    ranges.push(request.headers.range);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = served.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length });
    if (rest.length > patience) response.write(rest.subarray(0, patience), () => setTimeout(() => response.destroy(), 200)); // what was sent shall arrive
    else response.end(rest);
  } else {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"error":"not found"}');
  }
}

beforeEach(async () => {
  ranges = [];
  patience = Infinity;
  served = bytes;
  cache = mkdtempSync(join(tmpdir(), 'vitc-hub-'));
  server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(cache, { recursive: true });
});

const model = { owner: 'some', name: 'model', revision: 'main' };

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (cause) {
    if (cause instanceof CliError) return `${cause.diagnostics[0].code}: ${cause.message}`;
    throw cause;
  }
  return 'no failure';
}

describe('names', () => {
  it('are OWNER/NAME with a revision and a file', () => {
    expect(parseHubName('hf:timm/vit_tiny')).toEqual({ owner: 'timm', name: 'vit_tiny', revision: 'main' });
    expect(parseHubName('hf:a/b@v1.0/x/y.safetensors')).toEqual({ owner: 'a', name: 'b', revision: 'v1.0', file: 'x/y.safetensors' });
    expect(parseHubName('weights.safetensors')).toBeUndefined();
  });

  it.each(['hf:', 'hf:a', 'hf:a/..', 'hf:../b', 'hf:a/b/../../c', 'hf:a/b@c@d', 'hf:a/b?x=1', 'hf:a/b c'])('refuses %s', (text) => {
    expect(() => parseHubName(text)).toThrow('no hub name');
  });
});

describe('pull', () => {
  it('downloads, checks and keeps', async () => {
    const [path] = await pull(model, { endpoint, cache });
    expect(readFileSync(path).equals(Buffer.from(bytes))).toBe(true);
    expect(await pull(model, { endpoint, cache })).toEqual([path]);
    expect(ranges).toEqual([undefined]);
    expect(readdirSync(dirname(path))).toEqual(['model.safetensors']);
  });

  it('goes on where it stopped', async () => {
    patience = 5000;
    expect(await failure(pull(model, { endpoint, cache }))).toMatch(/^E0822: model.safetensors of some\/model/);
    patience = Infinity;
    const [path] = await pull(model, { endpoint, cache });
    expect(readFileSync(path).equals(Buffer.from(bytes))).toBe(true);
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
  });

  it('refuses and removes what was altered', async () => {
    served = bytes.slice();
    served[bytes.length - 1] ^= 1;
    expect(await failure(pull(model, { endpoint, cache }))).toMatch(/^E0823: .* does not have the hash/);
    served = bytes;
    expect(await pull(model, { endpoint, cache })).toHaveLength(1);
  });

  it('starts again where a partial file is longer than the file', async () => {
    const folder = join(cache, 'hub', 'some--model', sha256);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'model.safetensors.partial'), new Uint8Array(bytes.length + 1));
    const [path] = await pull(model, { endpoint, cache });
    expect(readFileSync(path).equals(Buffer.from(bytes))).toBe(true);
  });

  it('tells a server that no connection leads to from one that answers', async () => {
    const closed = createServer();
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done));
    const { port } = closed.address() as AddressInfo;
    await new Promise((done) => closed.close(done));
    expect(await failure(pull(model, { endpoint: `http://127.0.0.1:${port}`, cache }))).toBe('E0821: cannot list some/model: the hub cannot be reached (ECONNREFUSED)');
  });

  it('names what is not there', async () => {
    expect(await failure(pull({ ...model, name: 'other' }, { endpoint, cache }))).toBe('E0821: cannot list some/other: there is no such repository or revision');
    expect(await failure(pull({ ...model, file: 'x.safetensors' }, { endpoint, cache }))).toBe('E0821: some/model has no x.safetensors');
    expect(existsSync(join(cache, '..', 'escape.safetensors'))).toBe(false);
  });
});

describe('a hostile hub', () => {
  const good = { type: 'file', path: 'model.safetensors', size: 4, oid: 'b'.repeat(40) };
  const lfs = (oid: unknown, size: unknown = 4) => ({ ...good, lfs: { oid, size, pointerSize: 130 } });
  const data = Uint8Array.of(1, 2, 3, 4);
  const hash = createHash('sha256').update(data).digest('hex');
  let hostile: Server;
  let base: string;
  let listing: (response: ServerResponse, request: IncomingMessage) => void;
  let file: (response: ServerResponse, request: IncomingMessage) => void;
  const lists = (entries: unknown) => (response: ServerResponse) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(entries));

  beforeEach(async () => {
    listing = lists([lfs(hash)]);
    file = (response) => void response.end(data);
    hostile = createServer((request, response) => (request.url!.startsWith('/api/') ? listing(response, request) : file(response, request)));
    await new Promise<void>((done) => hostile.listen(0, '127.0.0.1', done));
    base = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    hostile.closeAllConnections();
    hostile.close();
  });

  const pulled = () => failure(pull(model, { endpoint: base, cache, patience: 500 }));
  /** Everything below the cache's parent that a download could have written. */
  const written = () => readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => /\./.test(name.split('/').at(-1)!));

  it('is taken at its word where it is none', async () => {
    expect(await pulled()).toBe('no failure');
    expect(written()).toHaveLength(1);
  });

  it.each([
    ['a hash that is a path', lfs('../../../../escape')],
    ['a hash that is a number', lfs(7)],
    ['a hash of the wrong length', lfs('ab')],
    ['a negative size', lfs(hash, -1)],
    ['a fractional size', lfs(hash, 0.5)],
    ['an enormous size', lfs(hash, 1e300)],
    ['a size that is a text', lfs(hash, '4')],
    ['a blob hash that is a path', { ...good, oid: '../../x' }],
  ])('is refused for %s', async (_, entry) => {
    listing = lists([entry]);
    expect(await pulled()).toMatch(/^E0821: cannot list some\/model: model\.safetensors is listed with the (hash|size) /);
    expect(written()).toEqual([]);
  });

  it.each([
    ['no list', { a: 1 }], ['null', null], ['texts', ['a', 'b']], ['entries without a path', [{ type: 'file', size: 1 }]],
    ['names that leave the folder', ['../x.safetensors', '/x.safetensors', 'a/../../x.safetensors', '..\\x.safetensors', 'x\u0000.safetensors', '.safetensors', ''].map((path) => ({ ...lfs(hash), path }))],
  ])('is refused for a listing of %s', async (_, entries) => {
    listing = lists(entries);
    expect(await pulled()).toMatch(/^E0821: /);
    expect(written()).toEqual([]);
  });

  it('lists no more than a repository has', async () => {
    let pages = 0;
    listing = (response) => void response.setHeader('link', `<${base}/api/models/some/model/tree/main?page=${++pages}>; rel="next"`).setHeader('content-type', 'application/json').end('[]');
    expect(await pulled()).toMatch(/more than 100 pages/);
    expect(pages).toBe(100);
    listing = (response) => {
      response.setHeader('content-type', 'application/json').write('[');
      const more = () => void (response.destroyed || response.write(' '.repeat(1 << 20), more));
      more();
    };
    expect(await failure(pull(model, { endpoint: base, cache, patience: 20_000 }))).toMatch(/more than the \d+ bytes of a page/);
  });

  it('sends no more than it lists, and not less', async () => {
    file = (response) => {
      const more = () => void (response.destroyed || response.write(new Uint8Array(1 << 16), more));
      more();
    };
    expect(await pulled()).toMatch(/^E0822: .* the hub sends more than the 4 bytes of model\.safetensors/);
    file = (response) => void response.end(data.subarray(0, 3));
    expect(await pulled()).toMatch(/^E0822: .* ended at 3 of 4 bytes/);
    file = (response) => void response.writeHead(206, { 'content-range': 'bytes 0-3/4' }).end(data);
    expect(await pulled()).toMatch(/^E0822: .* another part than was asked for/);
    file = (response) => void response.end(Uint8Array.of(9, 9, 9, 9));
    expect(await pulled()).toMatch(/^E0823: /);
    expect(written()).toEqual([]);
  });

  it('is given up where it says nothing', async () => {
    file = () => {};
    expect(await pulled()).toMatch(/^E0822: .* sent nothing for 0\.5 s/);
    file = (response) => void response.write(data.subarray(0, 1));
    expect(await pulled()).toMatch(/^E0822: .* sent nothing for 0\.5 s/);
    listing = () => {};
    expect(await pulled()).toMatch(/^E0821: /);
  });

  it('gets no token where it redirects to another, and nothing where it redirects for ever', async () => {
    const seen: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end(data);
    });
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    process.env.HF_TOKEN = 'hf_secret';
    try {
      file = (response) => void response.writeHead(302, { location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/elsewhere` }).end();
      expect(await pulled()).toBe('no failure');
      expect(seen).toEqual([undefined]);
      rmSync(join(cache, 'hub'), { recursive: true });
      for (const location of [`${base}/again`, 'file:///etc/passwd', 'http://']) {
        file = (response) => void response.writeHead(302, { location }).end();
        expect(await pulled()).toMatch(/^E0822: /);
      }
    } finally {
      delete process.env.HF_TOKEN;
      other.close();
    }
    expect(written()).toEqual([]);
  });

  it('may list an empty file', async () => {
    const nothing = createHash('sha256').digest('hex');
    listing = lists([lfs(nothing, 0)]);
    file = (response) => void response.end();
    expect(await pulled()).toBe('no failure');
  });

  it('needs a cache that can be written, and does not wait for one that cannot', async () => {
    writeFileSync(join(cache, 'file'), '');
    for (const place of [join(cache, 'file'), ...(existsSync('/proc/self') ? ['/proc', '/proc/self/x'] : [])])
      expect(await failure(pull(model, { endpoint: base, cache: place }))).toMatch(/^E0822: model\.safetensors of some\/model was not downloaded: /);
  });
});
