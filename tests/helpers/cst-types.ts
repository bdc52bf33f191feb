/** The TypeScript types of the concrete syntax tree, from the grammar; src/parser/cst.ts holds them. */
import { generateCstDts } from 'chevrotain';
import { VitParser } from '../../src/parser/grammar.ts';

export function cstTypes(): string {
  const full = generateCstDts(new VitParser().getGAstProductions(), { includeVisitorInterface: false });
  const rules = [...full.matchAll(/export type (\w+)CstChildren = \{\n([^}]*)\};/g)].map(([, name, body]) => {
    const fields = [...body.matchAll(/(\w+\??): \(?(\w+)\)?\[\];/g)].map(([, field, type]) => `${field}: ${type.replace(/CstNode$/, 'Cst')}[]`);
    const rule = name[0].toLowerCase() + name.slice(1);
    const line = `export type ${name}Cst = Node<'${rule}', { ${fields.join('; ')} }>;`;
    return line.length <= 120 ? line : `export type ${name}Cst = Node<'${rule}', {\n${fields.map((f) => `  ${f};\n`).join('')}}>;`;
  });
  return `/** The concrete syntax tree's types. Generated from the grammar: \`BLESS=1 npx vitest run tests/parser-cst.test.ts\`. */
import type { CstNodeLocation, IToken } from 'chevrotain';

interface Node<Name extends string, Children> {
  readonly name: Name;
  /** Absent parts of a node whose reading failed are absent here too, whatever the type says. */
  readonly children: Children;
  readonly location?: CstNodeLocation;
}

${rules.join('\n')}
`;
}
