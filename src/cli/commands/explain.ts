/** `vitc explain CODE`: what a diagnostic means, with an example. */
import { Command } from 'commander';
import { CODES, type CodeInfo } from '../../codes.ts';
import { suggest } from '../../suggest.ts';
import { EXIT } from '../errors.ts';
import type { CommandMaker } from '../options.ts';
import { color, print, say } from '../terminal.ts';

export const explainCommand: CommandMaker = (setExit) =>
  new Command('explain')
    .description('tell what a diagnostic code means; without a code, list them')
    .argument('[code]', 'such as E0401')
    .action((code?: string) => {
      const codes: Readonly<Record<string, CodeInfo>> = CODES;
      if (code === undefined) {
        for (const [name, info] of Object.entries(codes).sort()) print(`${color.bold(name)}  ${info.title}`);
        return;
      }
      const key = code.toUpperCase();
      if (!Object.hasOwn(codes, key)) {
        const near = suggest(key, Object.keys(codes));
        say(`there is no code ${JSON.stringify(code)}${near ? `; did you mean ${near}?` : ''}`);
        setExit(EXIT.usage);
        return;
      }
      print(`${color.bold(`${key}: ${codes[key].title}`)}\n\n${codes[key].explanation}`);
    });
