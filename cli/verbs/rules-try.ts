import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { trialDocument } from '../../api/answers/trial-steps.js';
import { CLICK_LIMITS } from '../../core/click/click.js';
import { TruecountError } from '../../core/errors.js';
import { TrialRun, type Trial } from '../../core/rules/trial.js';
import { readLines } from '../../ingest/formats/lines.js';
import { rulesNamed } from '../named-rules.js';
import { withCommonOptions, type CommonOptions } from '../options.js';
import { print, say, styleFor, withExamples } from '../output.js';
import { trialText } from '../trial-text.js';
import { withReader } from '../with-reader.js';

/** `truecount rules try`: what a rule set does with clicks, before it counts any. */
export function registerTry(rules: Command): void {
  const attempt = rules
    .command('try')
    .summary('show step by step what a rule set does with clicks')
    .description(
      'Reads clicks as NDJSON, as if they were one partition of the log, and shows of each its values, ' +
        'dimensions, filters and caps, and what becomes of it. Nothing is stored, and with a rule file no ' +
        'stack is needed. With --json one JSON document a line.',
    )
    .argument('<rules>', 'file, number of a version or hash')
    .argument('[clicks]', 'NDJSON; - is stdin', '-')
    .action(run);
  withExamples(
    withCommonOptions(attempt),
    'npx truecount generate --clicks 5 --seed 1 | npx truecount rules try examples/rules.yaml',
    'npx truecount rules try examples/rules.yaml clicks.ndjson --json',
  );
}

async function run(name: string, clicks: string, options: CommonOptions): Promise<void> {
  const { ruleSet } = await rulesNamed(name, (ask) => withReader(options, ask));
  const trials = new TrialRun(ruleSet);
  const style = styleFor(process.stdout);
  const fates = new Map<Trial['fate'], number>();
  for await (const { line, bytes } of readLines(chunksOf(clicks), CLICK_LIMITS.recordBytesMax)) {
    if (bytes?.length === 0) continue;
    const trial = trials.take(bytes ?? TOO_LARGE, line);
    fates.set(trial.fate, (fates.get(trial.fate) ?? 0) + 1);
    print(options.json === true ? JSON.stringify(trialDocument(trial)) : trialText(trial, style));
  }
  const sums = [...fates].map(([fate, n]) => `${String(n)} ${fate}`);
  say(sums.length === 0 ? 'no clicks' : sums.join(', '));
}

/** What a line is that was not kept, since it is over the cap: one byte over is as good as all. */
const TOO_LARGE = new Uint8Array(CLICK_LIMITS.recordBytesMax + 1);

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    const source = path === '-' ? process.stdin : createReadStream(path);
    for await (const chunk of source) yield chunk as Buffer;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('not_found', `cannot read the clicks ${path}: ${why}`, {
      hint: 'a file of NDJSON, or - for stdin; truecount generate makes some',
      cause,
    });
  }
}
