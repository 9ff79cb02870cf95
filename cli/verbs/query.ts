import type { Command } from 'commander';
import { answerCount } from '../../api/answers/count.js';
import { answerTop } from '../../api/answers/top.js';
import { printable } from '../../core/printable.js';
import { QUESTION_LIMITS, parseWhole } from '../../core/question.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { columns, printResult, withExamples } from '../output.js';
import { withReader } from '../with-reader.js';

interface CountOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly filter?: string;
  readonly asOf?: string;
}

interface TopOptions extends CommonOptions {
  readonly windowSize: string;
  readonly topN: string;
  readonly at?: string;
  readonly filter?: string;
  readonly asOf?: string;
}

/** `truecount query`: the same answers as the API, from the same reads. */
export function register(program: Command): void {
  const query = program
    .command('query')
    .summary('counts and most clicked ads, as the API answers them')
    .description('Answers the questions of the HTTP API, straight from Postgres.');
  registerCount(query);
  registerTop(query);
  withExamples(
    query,
    'npx truecount query count ad-1 --from 2026-11-21T10 --to 2026-11-21T11',
    'npx truecount query top --window-size 60 --top-n 10 --at 2026-11-21T11',
  );
}

function registerCount(query: Command): void {
  const count = query
    .command('count')
    .summary('how often an ad was clicked in a range of minutes')
    .argument('<ad>', 'the ad_id')
    .requiredOption('--from <time>', 'first minute')
    .requiredOption('--to <time>', 'end of the range, not in it')
    .option('--filter <dimension:value>', 'clicks with this dimension value only')
    .option('--as-of <number>', 'publication number of an earlier answer')
    .action(async (ad: string, options: CountOptions) => {
      const answer = await withReader(options, (pool) =>
        answerCount(pool, {
          ad_id: ad,
          from: options.from,
          to: options.to,
          filter_id: options.filter,
          as_of: publicationOf(options.asOf),
        }),
      );
      printResult(options.json === true, answer, () =>
        columns(
          Object.entries(answer).map(([name, value]) => [
            name,
            value === null ? '-' : printable(String(value)),
          ]),
        ),
      );
    });
  withExamples(
    withCommonOptions(count),
    'npx truecount query count ad-1 --from 2026-11-21T10 --to 2026-11-21T11 --filter country:US',
  );
}

function registerTop(query: Command): void {
  const { windowMinutesMax, topNMax } = QUESTION_LIMITS;
  const top = query
    .command('top')
    .summary('the most clicked ads of a window')
    .requiredOption('--window-size <minutes>', 'length of the window')
    .requiredOption('--top-n <number>', 'ads at most')
    .option('--at <time>', 'end of the window (default: the watermark, floored to its minute)')
    .option('--filter <dimension:value>', 'clicks with this dimension value only')
    .option('--as-of <number>', 'publication number of an earlier answer')
    .action(async (options: TopOptions) => {
      const answer = await withReader(options, (pool) =>
        answerTop(pool, {
          window_size: parseWhole('--window-size', options.windowSize, 1, windowMinutesMax),
          top_n: parseWhole('--top-n', options.topN, 1, topNMax),
          at: options.at,
          filter_id: options.filter,
          as_of: publicationOf(options.asOf),
        }),
      );
      printResult(options.json === true, answer, () =>
        [
          `${answer.from} to ${answer.to}, ${answer.state}`,
          columns([
            ['CLICKS', 'AD'],
            ...answer.ads.map((ad) => [String(ad.count), printable(ad.ad_id)]),
          ]),
        ].join('\n'),
      );
    });
  withExamples(
    withCommonOptions(top),
    'npx truecount query top --window-size 60 --top-n 10 --at 2026-11-21T11',
  );
}

function publicationOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseWhole('--as-of', text, 0, Number.MAX_SAFE_INTEGER);
}
