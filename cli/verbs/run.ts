import { Argument, type Command } from 'commander';
import { runService } from '../../runtime/run-service.js';
import { SERVICES, type ServiceName } from '../../runtime/services.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { withExamples } from '../output.js';

/** `truecount run SERVICE`: one service as a process, as production runs it. */
export function register(program: Command): void {
  const command = program
    .command('run')
    .summary('one service as a process')
    .description(
      'Runs one service until SIGTERM: `stream` counts clicks (run as many as you like, Kafka shares ' +
        'the partitions out), `archive` writes every click into the lake (likewise), `worker` runs ' +
        'the workflows that make hours final (likewise), `api` answers questions, `collect` takes clicks ' +
        'over HTTP (as many as you like). Logs are JSON lines on stderr.',
    )
    .addArgument(new Argument('<service>', 'which one').choices(Object.keys(SERVICES)))
    .action(async (service: ServiceName, options: CommonOptions) => {
      const code = await runService(service, configFor(options).config);
      // A service that did not stop in time may hold connections that would keep the process.
      process.exit(code);
    });
  withExamples(withCommonOptions(command), 'npx truecount run stream');
}
