/** `vitc fmt`: canonical formatting. */
import { Command } from 'commander';
import { hasErrors } from '../../diagnostics.ts';
import { format } from '../../parser/format.ts';
import { EXIT } from '../errors.ts';
import { readText } from '../files.ts';
import { writeWhole } from '../outputs.ts';
import type { CommandMaker } from '../options.ts';
import { plain, print, printDiagnostics } from '../terminal.ts';

export const formatCommand: CommandMaker = (setExit) =>
  new Command('fmt')
    .description('format files in place; comments are kept')
    .argument('<file...>', '.vit files')
    .option('--check', 'write nothing; name files that are not formatted and exit 1')
    .action((files: string[], options: { check?: boolean }) => {
      for (const path of files) {
        const text = readText(path);
        const { value, diagnostics } = format({ path, text });
        if (hasErrors(diagnostics)) {
          printDiagnostics(diagnostics);
          setExit(EXIT.no);
        } else if (value !== text) {
          print(plain(options.check ? `${path} is not formatted` : `formatted ${path}`));
          if (options.check) setExit(EXIT.no);
          else writeWhole(path, value);
        }
      }
    });
