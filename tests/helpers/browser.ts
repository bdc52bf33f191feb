/** A headless Chromium with WebGPU on SwiftShader, and a server of static files for its pages. */
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';
import tar from 'tar-fs';
import { cacheFolder } from '../../src/cli/software-device.ts';

const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  // Nothing but the test's own server is to be reached.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The Chromium of @sparticuz/chromium, unpacked once with its SwiftShader and the libraries that a bare system lacks. */
async function packagedChromium(): Promise<string> {
  const bin = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..', '..', 'bin');
  const { version } = JSON.parse(await readFile(join(bin, '..', 'package.json'), 'utf8')) as { version: string };
  const folder = join(cacheFolder(), `chromium-${version}`);
  if (existsSync(folder)) return join(folder, 'chromium');
  const partial = `${folder}.${process.pid}`;
  await mkdir(partial, { recursive: true });
  const unpack = (file: string, to: NodeJS.WritableStream) => pipeline(createReadStream(join(bin, file)), createBrotliDecompress(), to);
  await unpack('chromium.br', createWriteStream(join(partial, 'chromium')));
  await unpack('swiftshader.tar.br', tar.extract(partial));
  await unpack('al2023.tar.br', tar.extract(partial));
  await chmod(join(partial, 'chromium'), 0o755);
  await rename(partial, folder);
  return join(folder, 'chromium');
}

/** A browser, or why there is none. VITC_TEST_BROWSER names another than the one installed; `packaged` is @sparticuz/chromium's. */
export async function launchBrowser(): Promise<Browser | string> {
  const wanted = process.env.VITC_TEST_BROWSER ?? INSTALLED.find((path) => existsSync(path));
  const given = wanted === 'packaged' ? undefined : wanted;
  try {
    const executablePath = given ?? (await packagedChromium());
    // The environment of the software adapter is for Dawn in Node; the browser brings its own driver.
    const { LD_LIBRARY_PATH: _, VK_DRIVER_FILES: __, ...environment } = process.env as Record<string, string>;
    const env = given ? environment : { ...environment, LD_LIBRARY_PATH: join(dirname(executablePath), 'lib') };
    return await chromium.launch({ executablePath, headless: true, args: FLAGS, env });
  } catch (failure) {
    return `no browser: ${(failure as Error).message.split('\n')[0]}`;
  }
}

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json', '.wgsl': 'text/plain', '.svg': 'image/svg+xml', '.bin': 'application/octet-stream' };

export interface StaticServer {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  close(): void;
}

/** Serves folders under their names, and an empty page at `/`; `headers` go with every answer. */
export async function serve(folders: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<StaticServer> {
  const server = createServer(async (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const [name, ...rest] = normalize(new URL(request.url!, 'http://localhost').pathname).split('/').filter(Boolean);
    if (name === undefined) return void response.setHeader('content-type', 'text/html').end('<!doctype html><title>vitc</title>');
    const file = join(folders[name] ?? '', ...rest);
    if (!folders[name] || !existsSync(file)) return void response.writeHead(404).end();
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream').end(await readFile(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}
