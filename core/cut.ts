import { partitionKey } from './position.js';
import type { Position } from './position.js';

/** One partition's part of a cut: offsets below `nextOffset` are inside. */
export interface CutPosition {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
}

/** A cut of an hour; an absent partition is 0. */
export type Cut = readonly CutPosition[];

/** The one form of a cut: without zeros, by topic (bytewise for ASCII names), then partition. */
export function normalCut(cut: Cut): CutPosition[] {
  return cut
    .filter(({ nextOffset }) => nextOffset > 0)
    .map(({ topic, partition, nextOffset }) => ({ topic, partition, nextOffset }))
    .sort(
      (a, b) => Number(a.topic > b.topic) - Number(a.topic < b.topic) || a.partition - b.partition,
    );
}

/** Whether a record is inside the cut. */
export function isBelowCut(cut: Cut, at: Position): boolean {
  const key = partitionKey(at);
  return at.offset < (cut.find((entry) => partitionKey(entry) === key)?.nextOffset ?? 0);
}

/** The componentwise maximum: the smallest cut that holds both. */
export function maxCut(a: Cut, b: Cut): CutPosition[] {
  const merged = new Map<string, CutPosition>();
  for (const entry of [...a, ...b]) {
    const known = merged.get(partitionKey(entry));
    if (known === undefined || known.nextOffset < entry.nextOffset) {
      merged.set(partitionKey(entry), entry);
    }
  }
  return normalCut([...merged.values()]);
}

/** Whether everything inside `inner` is inside `outer`. */
export function coversCut(outer: Cut, inner: Cut): boolean {
  const next = new Map(outer.map((entry) => [partitionKey(entry), entry.nextOffset]));
  return inner.every((entry) => (next.get(partitionKey(entry)) ?? 0) >= entry.nextOffset);
}
