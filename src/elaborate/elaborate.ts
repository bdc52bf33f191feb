/** AST -> graph: configuration is evaluated, tensors become nodes, shapes are checked. */
import type { File, Model } from '../ast.ts';
import { DiagnosticError, hasErrors } from '../diagnostics.ts';
import type { Diagnostic, Result } from '../diagnostics.ts';
import type { Graph } from '../graph.ts';
import { Context, Poisoned } from './context.ts';
import { Files } from './files.ts';
import type { FileScope } from './files.ts';
import { buildModel } from './model.ts';
import { ParamScope } from './params.ts';
import { checkNames } from './resolve.ts';
import { chooseTarget } from './targets.ts';

export { listTargets } from './targets.ts';
export type { ConfigInfo, TargetInfo } from './targets.ts';

/** What a setting from outside can be. */
export type ConfigLiteral = number | boolean | string | readonly ConfigLiteral[];

export interface ElaborateRequest {
  /** The entry file's syntax tree. */
  readonly file: File;
  /** A model's or preset's name in it; absent: its only preset, else its only model. */
  readonly target?: string;
  /** Overrides of the model's configuration. */
  readonly settings: Readonly<Record<string, ConfigLiteral>>;
  /** The free dimension B. */
  readonly batch: number;
  /**
   * A file by its path without `.vit`: `std/NAME`, or normalized and relative to what the entry's path is relative to.
   * Called once a file; an import that leaves the project never gets here.
   */
  readonly load: (path: string) => Result<File> | undefined;
}

/**
 * The graph of a model or preset, with everything that is wrong with its files. The graph is absent exactly when there
 * is an error.
 */
export function elaborate(request: ElaborateRequest): Result<Graph | undefined> {
  const early: Diagnostic[] = [];
  const { entry, scopes } = openFiles(request, (d) => early.push(d));
  const model = chooseTarget(entry, request.target, (d) => early.push(d));
  const context = new Context(new ParamScope(), model?.name ?? '');
  for (const diagnostic of early) context.report(diagnostic);
  for (const scope of scopes) checkNames(scope, scopes, (d) => context.report(d));
  if (!model) return { value: undefined, diagnostics: context.diagnostics };
  const graph = guarded(context, model.model, () => buildModel(context, model, request));
  return { value: hasErrors(context.diagnostics) ? undefined : graph, diagnostics: context.diagnostics };
}

/**
 * What can be told of a file and its imports without a model: unknown names, imports, statements and attributes out of
 * place. A file of blocks has no more to check.
 */
export function checkFile(request: Pick<ElaborateRequest, 'file' | 'load'>): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const report = (d: Diagnostic): void => void diagnostics.push(d);
  const { scopes } = openFiles(request, report);
  for (const scope of scopes) checkNames(scope, scopes, report);
  return diagnostics;
}

function openFiles({ file, load }: Pick<ElaborateRequest, 'file' | 'load'>, report: (d: Diagnostic) => void): { entry: FileScope; scopes: FileScope[] } {
  const files = new Files(file, load, report);
  files.openPrelude();
  const entry = files.open(file.span.source.path.replace(/^\.\//, '').replace(/\.vit$/, ''), file);
  return { entry, scopes: files.scopes() };
}

/** Nothing that is wrong with a source may surface as an exception. */
function guarded<T>(context: Context, model: Model, run: () => T): T | undefined {
  try {
    return run();
  } catch (e) {
    if (e instanceof DiagnosticError) context.report(e.diagnostic);
    else if (e instanceof RangeError && /call stack/i.test(e.message)) {
      context.report(context.diagnose('E0706', 'expressions, lists or calls are nested too deep', model.name.span, { help: 'give parts of the expression a name' }));
    } else if (!(e instanceof Poisoned)) throw e;
    return undefined;
  }
}
