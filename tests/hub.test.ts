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

  it('names what is not there', async () => {
    expect(await failure(pull({ ...model, name: 'other' }, { endpoint, cache }))).toBe('E0821: cannot list some/other: there is no such repository or revision');
    expect(await failure(pull({ ...model, file: 'x.safetensors' }, { endpoint, cache }))).toBe('E0821: some/model has no x.safetensors');
    expect(existsSync(join(cache, '..', 'escape.safetensors'))).toBe(false);
  });
});
