import type { Command } from 'commander';
import { parseClick } from '../../core/click/parse.js';
import { printable } from '../../core/printable.js';
import { parseWhole } from '../../core/question.js';
import { openInputFile } from '../../ingest/files/input-file.js';
import { readItems } from '../../ingest/formats/read-items.js';
import { whereNotJson } from '../../ingest/formats/json-place.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { withFormatOptions, readerFor } from '../format-options.js';
import type { FormatOptions } from '../format-options.js';
import { print, withExamples } from '../output.js';

interface TryOptions extends FormatOptions {
  readonly records: string;
  readonly json?: boolean;
}

/** `truecount mapping try`: what becomes of the lines of a file, before any is sent. */
export function registerTry(mapping: Command): void {
  const attempt = withFormatOptions(
    mapping
      .command('try')
      .summary('show what becomes of the lines of a file, before any is sent')
      .description(
        'Reads the whole file as ingest does, but sends nothing and needs no stack. Shows the first ' +
          'records, every rejection with its line and character, and every record that the log would ' +
          'quarantine. With --json one JSON document a line, the last with the sums. Exit code 1 if ' +
          'no record would count.',
      )
      .argument('<file>', 'a file of clicks, also .gz or .zst; - is stdin'),
  ).option('--records <n>', 'records that are shown', '5');
  attempt.option('--json', 'one JSON document a line').action(run);
  withExamples(
    attempt,
    'npx truecount mapping try access.log --format combined-log --mapping examples/apache.mapping.yaml',
    'npx truecount generate --clicks 100 --seed 1 | npx truecount mapping try - --records 1',
  );
}

async function run(path: string, options: TryOptions): Promise<void> {
  const shown = parseWhole('--records', options.records, 0, Number.MAX_SAFE_INTEGER);
  const file = openInputFile(path);
  const reader = readerFor(path, options);
  const reasons = new Map<string, number>();
  const sums = { clicks: 0, rejected: 0, quarantined: 0 };
  for await (const item of readItems(file.chunks(), reader)) {
    const fate = fateOf(item);
    if (fate.kind === 'click') {
      sums.clicks += 1;
      if (sums.clicks > shown) continue;
    } else {
      sums[fate.kind] += 1;
      reasons.set(fate.group, (reasons.get(fate.group) ?? 0) + 1);
    }
    print(options.json === true ? JSON.stringify(documentOf(fate)) : textOf(fate));
  }
  const sorted = [...reasons].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (options.json === true) {
    print(
      JSON.stringify({ kind: 'sums', file: path, ...sums, reasons: Object.fromEntries(sorted) }),
    );
  } else print(sumsText(sums, sorted));
  if (sums.clicks === 0) process.exitCode = 1;
}

type Fate =
  | { readonly kind: 'click'; readonly line: number; readonly click: string }
  | {
      /** At the door; or by the log's decoder, which keeps the record. */
      readonly kind: 'rejected' | 'quarantined';
      readonly line: number;
      readonly column: number | undefined;
      readonly reason: string;
      /** What it is counted under: the reason without the values of this line. */
      readonly group: string;
    };

function fateOf(item: SourceItem): Fate {
  const { line } = item;
  if (item.kind === 'rejected') {
    const { column, reason } = item;
    return { kind: 'rejected', line, column, reason, group: reason.split(': ')[0]! };
  }
  // As if it were appended now: what is ahead of the clock would be quarantined.
  const decoded = parseClick(item.bytes, Date.now(), []);
  if (decoded.kind === 'click') return { kind: 'click', line, click: item.bytes.toString() };
  const { reason, detail } = decoded;
  const said = `${reason}: ${detail}`;
  const column = reason === 'not_json' ? whereNotJson(item.bytes.toString()) : undefined;
  return { kind: 'quarantined', line, column, reason: said, group: reason };
}

function documentOf(fate: Fate): object {
  if (fate.kind !== 'click') {
    const { kind, line, column, reason } = fate;
    return { kind, line, column, reason };
  }
  return { kind: 'click', line: fate.line, click: JSON.parse(fate.click) as unknown };
}

function textOf(fate: Fate): string {
  if (fate.kind === 'click') return `line ${fate.line}: ${printable(fate.click)}`;
  const column = fate.column === undefined ? '' : `, character ${fate.column}`;
  return `line ${fate.line}${column}: ${fate.kind}: ${printable(fate.reason)}`;
}

function sumsText(
  { clicks, rejected, quarantined }: Record<'clicks' | 'rejected' | 'quarantined', number>,
  reasons: readonly (readonly [string, number])[],
): string {
  return [
    `${clicks} clicks, ${rejected} rejected, ${quarantined} that the log would quarantine`,
    ...reasons.map(([reason, count]) => `  ${count} ${printable(reason)}`),
  ].join('\n');
}
