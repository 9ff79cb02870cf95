import { newProgram, runProgram } from './run-program.js';
import { register } from './verbs/tail.js';

/**
 * `truecount tail` and nothing else: what the build makes one file of, for servers that have Node and
 * no package (scripts/tail-bundle.mjs).
 */
process.exitCode = await runProgram(process.argv.slice(2), () => {
  const program = newProgram('The tail of truecount: follows logs and sends their clicks.');
  register(program);
  return Promise.resolve(program);
});
