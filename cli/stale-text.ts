import type { Static } from 'typebox';
import type { StaleRulesDocument } from '../api/answers/stale-rules.js';
import { columns, type Style } from './output.js';
import { shortBytes, shortCount } from './progress-line.js';
import { shellLine } from './temporal-command.js';

type Stale = Static<typeof StaleRulesDocument>;
type Range = Stale['ranges'][number];

/** Ranges that are named here at most; `--json` names all. */
const RANGES_MAX = 20;

/**
 * What names the rules of a replay: the number of the version in force, or, of rules that are not put
 * yet, the file.
 */
export type NameOf = (range: Range) => string;

const versionOf: NameOf = ({ in_force_version: version }) => String(version);

/** The command that shows what a replay of a range would do. */
export function replayCommand(range: Range, nameOf: NameOf = versionOf): string {
  return shellLine([
    ...['npx', 'truecount', 'replay', '--from', range.from, '--to', range.to],
    ...['--rules', nameOf(range), '--plan'],
  ]);
}

/** The document with the command of each replay; hours counted by a newer version have none. */
export function withCommands(stale: Stale, nameOf: NameOf = versionOf) {
  const ranges = stale.ranges.map((one) => ({ ...one, replay: replayCommand(one, nameOf) }));
  return { ...stale, ranges };
}

/**
 * Stale hours for people: their ranges, how much there is to read, and the commands to go on; then those
 * that are counted by a newer version, which nobody has to take back.
 */
export function staleText(answer: Stale, style: Style): string {
  const { stale, ranges, newer } = answer;
  const commands = ranges.slice(0, RANGES_MAX).map((range) => `  ${replayCommand(range)}`);
  return [
    ...(stale === 0
      ? ['no final hour is stale']
      : [...table(ranges, style), '', sizeText(answer), ...commands]),
    ...(newer.count === 0 ? [] : ['', newerText(newer.count), '', ...table(newer.ranges, style)]),
  ].join('\n');
}

function table(all: readonly Range[], style: Style): string[] {
  const ranges = all.slice(0, RANGES_MAX);
  const more = all.length - ranges.length;
  const [title = '', ...rows] = columns([
    ['FROM', 'TO', 'HOURS', 'COUNTED BY', 'IN FORCE', 'FILES', 'BYTES', 'CLICKS'],
    ...ranges.map((range) => [
      ...[range.from, range.to, String(range.hours)],
      ...[countedBy(range), `v${String(range.in_force_version)}`],
      ...[String(range.files), shortBytes(range.bytes), String(range.clicks)],
    ]),
  ]).split('\n');
  const rest = more > 0 ? [`and ${String(more)} more ranges: --json names them all`] : [];
  return [style.bold(title), ...rows, ...rest];
}

function countedBy({ counted_by: hash, counted_by_version: version }: Range): string {
  return version === null ? `${hash.slice(0, 8)}, no version` : `v${String(version)}`;
}

/** `72 final hours are stale: 216 files, 1.20 GiB, 9.60 M clicks to read`. */
export function sizeText({ stale, files, bytes, clicks }: Stale): string {
  const hours = stale === 1 ? '1 final hour is stale' : `${String(stale)} final hours are stale`;
  const size = `${String(files)} files, ${shortBytes(bytes)}, ${shortCount(clicks)} clicks to read`;
  return `${hours}: ${size}`;
}

/** What is said of hours that a replay counted by a version that is not in force for them. */
export function newerText(count: number): string {
  return count === 1
    ? '1 final hour is counted by a newer version than the one in force for it: replayed on purpose?'
    : `${String(count)} final hours are counted by a newer version than the one in force for them: ` +
        'replayed on purpose?';
}
