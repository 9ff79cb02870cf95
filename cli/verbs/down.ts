import type { Command } from 'commander';
import { stopStack } from '../../runtime/down.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, withExamples } from '../output.js';

/** `truecount down`: stops what `up` runs. */
export function register(program: Command): void {
  const command = program
    .command('down')
    .summary('stop the stack and all services')
    .description(
      'Stops the services, then the components that `up` started, and waits until they are gone. ' +
        'Data stays. Also cleans up after a supervisor that was killed.',
    )
    .action(async (options: CommonOptions) => {
      const stopped = await stopStack(configFor(options).config);
      printResult(options.json === true, { stopped }, () =>
        stopped.length === 0 ? 'nothing was running' : `stopped: ${stopped.join(', ')}`,
      );
    });
  withExamples(withCommonOptions(command), 'npx truecount down');
}
