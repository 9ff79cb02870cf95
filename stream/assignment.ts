import type pg from 'pg';
import { takePartition } from '../store/progress.js';
import type { Assignment } from '../store/progress.js';
import { partitionKey } from '../core/position.js';
import type { TopicPartition } from './log-source.js';
import type { PartitionState } from './partition-state.js';

/**
 * Takes every partition over, in one order for all workers. What is believed of a partition stays
 * in `states` if nobody else has held it since our last commit: then only its epoch is new.
 * Everything else believed of these partitions is dropped from `states`.
 */
export async function takePartitions(
  client: pg.Client,
  partitions: readonly TopicPartition[],
  owner: string,
  states: Map<string, PartitionState>,
): Promise<[TopicPartition, Assignment][]> {
  const sorted = [...partitions].sort(
    (a, b) => Number(a.topic > b.topic) - Number(a.topic < b.topic) || a.partition - b.partition,
  );
  const taken: [TopicPartition, Assignment][] = [];
  for (const tp of sorted) {
    const assignment = await takePartition(client, tp.topic, tp.partition, owner);
    taken.push([tp, assignment]);
    const state = states.get(partitionKey(tp));
    const untouched =
      state?.epoch === assignment.epoch - 1 && state.committedOffset === assignment.nextOffset;
    if (untouched) state.epoch = assignment.epoch;
    else states.delete(partitionKey(tp));
  }
  return taken;
}
