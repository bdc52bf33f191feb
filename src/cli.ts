#!/usr/bin/env node
/** The command line. Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 no usable device. */
import { Command, CommanderError } from 'commander';
import { benchCommand } from './cli/commands/bench.ts';
import { checkCommand } from './cli/commands/check.ts';
import { compileCommand } from './cli/commands/compile.ts';
import { emitCommand } from './cli/commands/emit.ts';
import { explainCommand } from './cli/commands/explain.ts';
import { formatCommand } from './cli/commands/fmt.ts';
import { profileDeviceCommand } from './cli/commands/profile-device.ts';
import { reportCommand } from './cli/commands/report.ts';
import { runCommand } from './cli/commands/run.ts';
import { sweepCommand } from './cli/commands/sweep.ts';
import { traceCommand } from './cli/commands/trace.ts';
import { tuneCommand } from './cli/commands/tune.ts';
import { verifyCommand } from './cli/commands/verify.ts';
import { weightsCommand } from './cli/commands/weights.ts';
import { zooCommand } from './cli/commands/zoo.ts';
import { CliError, EXIT, type ExitCode } from './cli/errors.ts';
import { packageVersion } from './cli/files.ts';
import { reason } from './cli/outputs.ts';
import { endFailed } from './cli/software-device.ts';
import { guarded, printDiagnostics, say } from './cli/terminal.ts';
import { DiagnosticError, error } from './diagnostics.ts';

const COMMANDS = [checkCommand, formatCommand, compileCommand, runCommand, verifyCommand, traceCommand, benchCommand, tuneCommand, reportCommand, sweepCommand, profileDeviceCommand, emitCommand, zooCommand, weightsCommand, explainCommand];

/** Usage errors repeat what was written on the command line. */
const OUTPUT = {
  writeOut: (text: string) => void process.stdout.write(guarded(text, false)),
  writeErr: (text: string) => void process.stderr.write(guarded(text, false)),
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  let exit: ExitCode = EXIT.done;
  const program = new Command('vitc')
    .description('compiles .vit specs of vision-transformer-family models to WebGPU packages')
    .version(packageVersion())
    .showHelpAfterError('(--help tells more)')
    .configureOutput(OUTPUT)
    .exitOverride();
  for (const make of COMMANDS) {
    const command = make((code) => {
      exit = code;
    });
    for (const each of [command, ...command.commands]) each.exitOverride().configureOutput(OUTPUT).showHelpAfterError('(--help tells more)');
    program.addCommand(command);
  }
  try {
    await program.parseAsync(argv);
    return exit;
  } catch (failure) {
    return report(failure);
  }
}

function report(failure: unknown): ExitCode {
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (failure instanceof CliError) {
    printDiagnostics(failure.diagnostics);
    return failure.exit;
  }
  if (failure instanceof DiagnosticError) {
    printDiagnostics([failure.diagnostic]);
    return /^E092/.test(failure.diagnostic.code) ? EXIT.noDevice : EXIT.no;
  }
  // Errors of the runtime carry a code and a message written for people.
  if (failure instanceof Error && 'code' in failure && failure.name === 'VitcError') {
    say(`error: ${failure.message}`);
    return EXIT.no;
  }
  say(`vitc: this is a bug in the compiler, please report it with the command and the file\n${(failure as Error)?.stack ?? failure}`);
  return EXIT.no;
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code === 'EPIPE') process.exit(EXIT.done);
  printDiagnostics([error('E0902', `cannot write to standard output: ${reason(cause)}`)]);
  process.exit(EXIT.no);
});
// Remarks that nobody reads are none either; results go on.
process.stderr.on('error', () => {});

const code = await main(process.argv);
// Node does not end by itself while WebGPU is loaded; what is written must have left first.
// A signal that came during the last write is told by the event loop, on its next turn, and then decides the exit code.
const leave = (): void => void setImmediate(() => setImmediate(() => (code === EXIT.done ? process.exit(code) : endFailed(code))));
process.stdout.write('', () => process.stderr.write('', leave));
