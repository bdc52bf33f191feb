/** The files of one elaboration: what each declares and imports, found once. */
import type { Block, File, Function, Import, Let, Model, Name, Preset, Statement } from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic, Result } from '../diagnostics.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import { resolvePath } from './paths.ts';

export type Declaration = Let | Function | Block | Model | Preset;

/** What a top-level name stands for: a declaration and the file that made it; or nothing, where an import failed. */
export interface TopLevelName {
  readonly span: Span;
  readonly declaration?: Declaration;
  readonly home?: FileScope;
}

/** A file and its top-level names. */
export interface FileScope {
  readonly path: string;
  readonly file: File;
  readonly names: ReadonlyMap<string, TopLevelName>;
  /** Visible behind the file's own names; the prelude itself has none. */
  readonly prelude?: FileScope;
  /** The prelude: its functions are to callers like built-in ones. */
  readonly isPrelude: boolean;
  /** Whether statements could not be read: names that seem unknown may have been lost with them. */
  readonly broken: boolean;
}

/** Whether a body has statements that could not be read. */
export function isBroken(body: readonly Statement[]): boolean {
  return body.some((s) => s.kind === 'errorStatement' || (s.kind === 'for' && isBroken(s.body)) || (s.kind === 'if' && (isBroken(s.then) || isBroken(s.else ?? []))));
}

type Load = (path: string) => Result<File> | undefined;

/** Loads files, follows imports, and tells what is wrong with them. */
export class Files {
  readonly #load: Load;
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #scopes = new Map<string, FileScope | 'broken' | 'missing'>();
  /** The files whose imports are being followed, each with the import that led to it. */
  readonly #chain: { readonly path: string; readonly via?: Import }[] = [];
  readonly #entry: string;
  prelude: FileScope | undefined;

  constructor(entry: File, load: Load, report: (diagnostic: Diagnostic) => void) {
    this.#load = load;
    this.#report = report;
    this.#entry = entry.span.source.path;
  }

  /** All files read so far, the entry last. */
  scopes(): FileScope[] {
    return [...this.#scopes.values()].filter((s): s is FileScope => typeof s === 'object');
  }

  /** Makes the prelude visible to every file opened later. */
  openPrelude(): void {
    const loaded = this.#load('std/prelude');
    if (!loaded) return;
    loaded.diagnostics.forEach(this.#report);
    this.prelude = this.open('std/prelude', loaded.value);
  }

  /** The scope of a parsed file; `path` is its identity. */
  open(path: string, file: File, via?: Import): FileScope {
    this.#chain.push({ path, via });
    const names = new Map<string, TopLevelName>();
    const broken = file.items.some((i) => 'body' in i && isBroken(i.body));
    const scope: FileScope = { path, file, names, broken, isPrelude: path === 'std/prelude', ...(this.prelude && { prelude: this.prelude }) };
    for (const item of file.items) {
      if (item.kind === 'import') this.#import(item, scope, names);
      else this.#declare(item.name, { span: item.name.span, declaration: item, home: scope }, names);
    }
    this.#scopes.set(path, scope);
    this.#chain.pop();
    return scope;
  }

  #declare(name: Name, entry: TopLevelName, names: Map<string, TopLevelName>): void {
    const before = names.get(name.text);
    if (!before) {
      names.set(name.text, entry);
      return;
    }
    this.#report(
      error('E0202', `\`${name.text}\` is declared twice in this file`, name.span, {
        labels: [{ span: before.span, message: 'first here' }],
        help: 'rename one, or import it under another name: `import { A as B } from ...`',
      }),
    );
  }

  #import(item: Import, scope: FileScope, names: Map<string, TopLevelName>): void {
    const imported = this.#importedFile(item, scope);
    for (const { name, as } of item.names) {
      const local = as ?? name;
      const found = typeof imported === 'object' ? imported.names.get(name.text) : undefined;
      const own = found?.home === imported ? found : undefined;
      // A name that failed stays declared, so that its uses are no errors of their own.
      this.#declare(local, { span: local.span, ...(own && { declaration: own.declaration, home: own.home }) }, names);
      if (typeof imported !== 'object' || own) continue;
      const candidates = [...imported.names].filter(([, n]) => n.home === imported).map(([n]) => n);
      const close = suggest(name.text, candidates);
      this.#report(
        error('E0205', `"${item.from.value}" declares no \`${name.text}\``, name.span, {
          ...(found && { labels: [{ span: found.span, message: 'imported here, not declared' }] }),
          help: found ? 'import it from the file that declares it' : close ? `did you mean \`${close}\`?` : candidates.length ? `it declares ${candidates.slice(0, 8).map((n) => `\`${n}\``).join(', ')}${candidates.length > 8 ? ', ...' : ''}` : 'it declares nothing',
        }),
      );
    }
  }

  #importedFile(item: Import, scope: FileScope): FileScope | undefined {
    const resolved = resolvePath(item.from.value, scope.path, this.#entry);
    if (!resolved.ok) {
      this.#report(error('E0204', resolved.message, item.from.span, { help: resolved.help }));
      return undefined;
    }
    const { path } = resolved;
    const known = this.#scopes.get(path);
    if (known) {
      if (known === 'missing') this.#missing(item);
      return typeof known === 'object' ? known : undefined;
    }
    const start = this.#chain.findIndex((c) => c.path === path);
    if (start >= 0) {
      const cycle = this.#chain.slice(start);
      this.#report(
        error('E0206', `files import each other in a circle: ${[...cycle.map((c) => c.path), path].join(' → ')}`, item.span, {
          labels: cycle.slice(1).map((c) => ({ span: c.via!.span, message: `${c.path} is imported here` })),
          help: 'move what both need into a third file',
        }),
      );
      return undefined;
    }
    if (this.#chain.length >= 100) {
      this.#report(error('E0703', 'imports are more than 100 files deep', item.span, { help: 'import the file that declares a name, not a chain of files' }));
      return undefined;
    }
    const loaded = this.#load(path);
    if (!loaded) {
      this.#scopes.set(path, 'missing');
      this.#missing(item);
      return undefined;
    }
    loaded.diagnostics.forEach(this.#report);
    const opened = this.open(path, loaded.value, item);
    // What a file with syntax errors seems not to declare may only be unreadable.
    if (loaded.diagnostics.some((d) => d.severity === 'error')) {
      this.#scopes.set(path, 'broken');
      return undefined;
    }
    return opened;
  }

  #missing(item: Import): void {
    const std = item.from.value.startsWith('std/');
    this.#report(
      error('E0203', `there is no file "${item.from.value}"`, item.from.span, {
        help: std ? '`std/...` is the standard library; your own files are relative: `"./NAME"`' : 'paths are relative to this file, `.vit` implied; the standard library is `"std/NAME"`',
      }),
    );
  }
}
