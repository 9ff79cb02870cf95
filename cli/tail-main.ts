import { endWithReader, newProgram, runProgram } from './run-program.js';
import { register } from './verbs/tail.js';

/**
 * `truecount tail` and nothing else: what the build makes one file of, for servers that have Node and
 * no package (scripts/tail-bundle.mjs).
 */
endWithReader();
process.exitCode = await runProgram(process.argv.slice(2), () => {
  const program = newProgram('The tail of truecount: follows logs and sends their clicks.')
    .helpCommand('help [verb]', 'show how a verb is used')
    .addHelpText('after', '\nThe other verbs are in the package.');
  register(program);
  return Promise.resolve(program);
});
