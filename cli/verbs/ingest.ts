import { Option, type Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { parseWhole } from '../../core/question.js';
import type { Config } from '../../runtime/config.js';
import { assertKafkaAccepts } from '../../runtime/kafka-contact.js';
import { withFormatOptions, type FormatOptions } from '../format-options.js';
import { FileIngest } from '../ingest-file.js';
import type { FileResult } from '../ingest-file.js';
import { openLaneProcess } from '../ingest-lane-child.js';
import { openLane } from '../ingest-lane.js';
import type { Lane, LaneEvents, LaneOptions } from '../ingest-lane.js';
import { IngestProgress, ingestDocument, ingestText } from '../ingest-text.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { Progress, printResult, withExamples } from '../output.js';

interface IngestOptions extends CommonOptions, FormatOptions {
  readonly topic?: string;
  readonly compression: 'none' | 'gzip';
  readonly parallel: string;
  readonly restart?: boolean;
}

/** `truecount ingest`: sends the clicks of files to the log. */
export function register(program: Command): void {
  const ingest = withFormatOptions(
    program
      .command('ingest')
      .summary('send the clicks of files to the log')
      .description(
        'Sends clicks to Kafka, acknowledged by all replicas. A second run of the same file changes ' +
          'no count; a run that was stopped goes on where it was. How to map columns: ' +
          'docs/how-to/ingest-files.md.',
      )
      .argument('<file...>', 'files of clicks, also .gz or .zst; - is stdin'),
  )
    .option('--topic <name>', 'default: the first of the configured topics')
    .addOption(
      new Option('--compression <codec>', 'of the record batches')
        .choices(['none', 'gzip'])
        .default('none'),
    )
    .option('--parallel <n>', 'files that are read side by side, each by a process', '1')
    .option('--restart', 'begin anew, also where an earlier run was stopped')
    .action(run);
  withExamples(
    withCommonOptions(ingest),
    'npx truecount generate --clicks 1000 --seed 1 | npx truecount ingest -',
    'npx truecount ingest clicks.csv --mapping examples/talkingdata.mapping.yaml',
    'npx truecount ingest access.log.*.gz --format combined-log --mapping examples/apache.mapping.yaml',
  );
}

async function run(paths: readonly string[], options: IngestOptions): Promise<void> {
  const { config } = configFor(options);
  const topic = options.topic ?? config.topics[0]!;
  const parallel = parseWhole('--parallel', options.parallel, 1, 64);
  if (paths.filter((path) => path === '-').length > 1) {
    throw new TruecountError('invalid_argument', 'stdin is named twice', {
      hint: 'it can be read once: leave one - out',
    });
  }
  const files = paths.map((path) => new FileIngest(path, options));
  await assertKafkaAccepts(config);
  const { format, mapping, source, compression, restart } = options;
  const startMs = performance.now();
  const lane = { format, mapping, source, compression, restart, topic };
  const results = await sendAll(files, config, lane, parallel);
  const document = ingestDocument(results, topic, performance.now() - startMs);
  printResult(options.json === true, document, () => ingestText(document));
  if (results.some(({ sent, rejected }) => sent === 0 && rejected > 0)) process.exitCode = 1;
}

/**
 * Sends the files, some side by side, each lane in a process of its own then. The first failure lets
 * those in work end, and no other begin.
 */
async function sendAll(
  files: readonly FileIngest[],
  config: Config,
  options: LaneOptions,
  parallel: number,
): Promise<FileResult[]> {
  const progress = new Progress();
  const line = new IngestProgress(files);
  const events: LaneEvents = {
    progress: (path, now) => {
      line.update(path, now);
      progress.update(line.text());
    },
    tell: (words) => {
      progress.done(words);
    },
  };
  const lanes = Math.min(parallel, files.length);
  // What a shell opened for this process, as in <(zcat a.gz), no other has.
  const isOurs = files.some(({ path }) => /^\/(dev|proc\/self)\/fd\//.test(path));
  const open = lanes > 1 && !isOurs ? openLaneProcess : openLane;
  const results = new Map<FileIngest, FileResult>();
  const failures: unknown[] = [];
  const waiting = [...files];
  const work = async (): Promise<void> => {
    let lane: Lane | undefined;
    try {
      lane = await open(config, options, events);
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        results.set(file, await lane.send(file.path));
      }
    } catch (error) {
      waiting.length = 0;
      failures.push(error);
    } finally {
      await lane?.close();
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  progress.done();
  if (failures.length > 0) throw failures[0];
  return files.map((file) => results.get(file)!);
}
