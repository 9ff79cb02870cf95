import type { Static } from 'typebox';
import type { StaleRulesDocument } from '../api/answers/stale-rules.js';
import { versionFor, type RulesInForce } from '../core/rules/versions.js';
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
    ...['--rules', nameOf(hash, from), '--plan'],
  ]);
}

/**
 * The number of the version by which a rule set is, or once was, in force for an hour; else its hash.
 * @param hour as documents say it, `2026-11-21T10:00:00Z`
 */
export type NameOf = (hash: string, hour: string) => string;

/** Names by versions, in any order: one that begins later than the hour is none of it. */
export function namesOf(versions: readonly RulesInForce[]): NameOf {
  return (hash, hour) => {
    const own = versions.filter((one) => one.hash === hash);
    const version = versionFor(own, Date.parse(hour))?.version;
    return version === undefined ? hash : String(version);
  };
}

/** Stale hours for people: their ranges, how much there is to read, and the commands to go on. */
export function staleText(answer: Stale, nameOf: NameOf, style: Style): string {
  if (answer.stale === 0) return 'no final hour is stale';
  const ranges = answer.ranges.slice(0, RANGES_MAX);
  const more = answer.ranges.length - ranges.length;
  const [title = '', ...rows] = columns([
    ['FROM', 'TO', 'HOURS', 'COUNTED BY', 'IN FORCE', 'FILES', 'BYTES', 'CLICKS'],
    ...ranges.map((range) => [
      ...[range.from, range.to, String(range.hours)],
      ...[range.counted_by, range.in_force].map((hash) => shortName(hash, range, nameOf)),
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

function shortName(hash: string, { from }: Range, nameOf: NameOf): string {
  const name = nameOf(hash, from);
  return name === hash ? hash.slice(0, 8) : `v${name}`;
}
