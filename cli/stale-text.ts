import type { Static } from 'typebox';
import type { StaleRulesDocument } from '../api/answers/stale-rules.js';
import { columns, type Style } from './output.js';
import { shortBytes, shortCount } from './progress-line.js';
import { shellLine } from './temporal-command.js';

type Stale = Static<typeof StaleRulesDocument>;
type Range = Stale['ranges'][number];

/** Ranges that are named here at most; `--json` names all. */
const RANGES_MAX = 20;

/** The command that shows what a replay of a range would do. */
export function replayCommand({ from, to, in_force: hash }: Range, nameOf: NameOf): string {
  return shellLine([
    ...['npx', 'truecount', 'replay', '--from', from, '--to', to],
    ...['--rules', nameOf(hash), '--plan'],
  ]);
}

/** The number of the version that put a rule set in force, or its hash. */
export type NameOf = (hash: string) => string;

/** Stale hours for people: their ranges, how much there is to read, and the commands to go on. */
export function staleText(answer: Stale, nameOf: NameOf, style: Style): string {
  if (answer.stale === 0) return 'no final hour is stale';
  const ranges = answer.ranges.slice(0, RANGES_MAX);
  const more = answer.ranges.length - ranges.length;
  const [title = '', ...rows] = columns([
    ['FROM', 'TO', 'HOURS', 'COUNTED BY', 'IN FORCE', 'FILES', 'BYTES', 'CLICKS'],
    ...ranges.map((range) => [
      ...[range.from, range.to, String(range.hours)],
      ...[shortName(range.counted_by, nameOf), shortName(range.in_force, nameOf)],
      ...[String(range.files), shortBytes(range.bytes), String(range.clicks)],
    ]),
  ]).split('\n');
  const rest = more > 0 ? [`and ${String(more)} more ranges: --json names them all`] : [];
  return [
    ...[style.bold(title), ...rows, ...rest, '', sizeText(answer)],
    ...ranges.map((range) => `  ${replayCommand(range, nameOf)}`),
  ].join('\n');
}

/** `72 final hours are stale: 216 files, 1.20 GiB, 9.60 M clicks to read`. */
export function sizeText({ stale, files, bytes, clicks }: Stale): string {
  const hours = stale === 1 ? '1 final hour is stale' : `${String(stale)} final hours are stale`;
  const size = `${String(files)} files, ${shortBytes(bytes)}, ${shortCount(clicks)} clicks to read`;
  return `${hours}: ${size}`;
}

function shortName(hash: string, nameOf: NameOf): string {
  const name = nameOf(hash);
  return name === hash ? hash.slice(0, 8) : `v${name}`;
}
