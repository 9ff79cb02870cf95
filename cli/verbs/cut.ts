import type { Command } from 'commander';
import pg from 'pg';
import { TruecountError } from '../../core/errors.js';
import { parseWhole } from '../../core/question.js';
import { formatTime, parseHourRange } from '../../core/range.js';
import { kafkaClientOptions } from '../../runtime/kafka-options.js';
import { postgresPoolOptions } from '../../runtime/postgres-options.js';
import { cutHours } from '../../runtime/cut-hours.js';
import { readLogEnds, untilCommitted } from '../../runtime/log-end.js';
import type { CutResult } from '../../store/cut.js';
import { openSession } from '../../store/session.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { Progress, columns, printResult, withExamples } from '../output.js';

interface CutOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly timeout: string;
  readonly wait: boolean;
  readonly early?: boolean;
}

/** `truecount cut`: ends live counting of hours at an exact line of the log. */
export function register(program: Command): void {
  const cut = program
    .command('cut')
    .summary('end live counting of hours, at an exact line of the log')
    .description(
      'Waits until the stream has reached the end that the log has now, then cuts each hour: ' +
        'what is below the cut is counted live, what comes later is late. A cut hour keeps its cut.',
    )
    .requiredOption('--from <time>', 'first hour')
    .requiredOption('--to <time>', 'end of the range, not in it')
    .option('--timeout <seconds>', 'how long to wait for the stream', '60')
    .option('--no-wait', 'cut where the stream is now')
    .option('--early', 'also hours that are not over yet: their coming clicks will be late')
    .action(run);
  withExamples(withCommonOptions(cut), 'npx truecount cut --from 2025-11-21T08 --to 2025-11-21T10');
}

async function run(options: CutOptions): Promise<void> {
  const range = parseHourRange(options.from, options.to);
  if (options.early !== true && range.toMs > Date.now()) {
    throw new TruecountError(
      'conflict',
      `${formatTime(range.toMs)} has not come yet: clicks of those hours would be late for ever`,
      { hint: 'check the range, or say --early if that is what you want' },
    );
  }
  const timeoutMs = parseWhole('--timeout', options.timeout, 0, 86_400) * 1000;
  const { config } = configFor(options);
  const postgres = postgresPoolOptions(config);
  const progress = new Progress();
  if (options.wait) {
    const ends = await readLogEnds(kafkaClientOptions(config), config.topics);
    const pool = new pg.Pool({ ...postgres, max: 1 });
    try {
      await untilCommitted(pool, ends, {
        timeoutMs,
        onProgress: ({ left }) => {
          if (left > 0) progress.update(`waiting for the stream: ${String(left)} records left`);
        },
      });
    } finally {
      progress.done();
      await pool.end();
    }
  }
  const session = await openSession({ connection: postgres, applicationName: 'truecount cut' });
  try {
    const results = await cutHours(session, range, (result) => {
      progress.update(`cut ${formatTime(result.hourMs)}`);
    });
    progress.done();
    printResult(options.json === true, { hours: results.map(document) }, () => table(results));
  } finally {
    await session.end();
  }
}

function document(result: CutResult): object {
  return {
    hour: formatTime(result.hourMs),
    cut_now: result.cutNow,
    cut: result.cut.map((p) => ({
      topic: p.topic,
      partition: p.partition,
      next_offset: p.nextOffset,
    })),
    late: result.late,
  };
}

function table(results: readonly CutResult[]): string {
  return columns([
    ['HOUR', '', 'CUT', 'LATE'],
    ...results.map((result) => [
      formatTime(result.hourMs),
      result.cutNow ? 'cut now' : 'was cut',
      result.cut.length === 0
        ? 'nothing read'
        : result.cut
            .map((p) => `${p.topic}/${String(p.partition)}@${String(p.nextOffset)}`)
            .join(' '),
      String(result.late),
    ]),
  ]);
}
