/** Errors of meaning, each with the full text that people see. */
import { textTests } from './helpers/text-tests.ts';
import { elaborateSources } from './helpers/elaborate.ts';
import { render } from '../src/render.ts';

textTests({
  folder: 'errors',
  run: (sources) => {
    const { value, diagnostics } = elaborateSources(sources);
    if (diagnostics.length > 0) return diagnostics.map((d) => render(d)).join('\n\n');
    return `no findings: ${value!.nodes.length} nodes`;
  },
});
