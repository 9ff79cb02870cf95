import type { Command } from 'commander';
import { withExamples } from '../output.js';
import { registerTry } from './mapping-try.js';

/** `truecount mapping`: mappings of columns to clicks. */
export function register(program: Command): void {
  const mapping = program
    .command('mapping')
    .summary('mappings: which columns of a file or log make a click')
    .description(
      'A mapping says which columns of a CSV, or which fields of a log, make a click. How to write ' +
        'one: docs/reference/mappings.md.',
    );
  registerTry(mapping);
  withExamples(
    mapping,
    'npx truecount mapping try clicks.csv --mapping examples/talkingdata.mapping.yaml',
  );
}
