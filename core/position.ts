/** Where a record stands in the log. Offsets are exact in a double (below 2^53). */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** `topic/partition`, the key of maps over partitions. */
export function partitionKey(of: { readonly topic: string; readonly partition: number }): string {
  return `${of.topic}/${String(of.partition)}`;
}
