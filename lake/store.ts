/** A `put` that has not ended: it is under way, or its process died. */
export interface UnfinishedPut {
  /** The lake's own name for it; no key. */
  readonly name: string;
  readonly bytes: number;
  /** When it began or was last added to, epoch ms by the clock of the lake. */
  readonly sinceMs: number;
}

/** Where the lake's objects are. A local folder now; nothing here may assume it. */
export interface LakeStore {
  /** For people: the address of the lake. */
  readonly url: string;
  /**
   * Makes a finished local file an object of the lake, durably: when this resolves it outlives a
   * power cut. The local file is gone afterwards.
   * @throws TruecountError `conflict` if the key exists (keys are never used twice),
   * `lake_unavailable`
   */
  put(key: string, localPath: string): Promise<void>;
  /**
   * A local path with the object's bytes, valid until `release`.
   * @throws TruecountError `lake_file_missing`, `lake_unavailable`
   */
  fetch(key: string): Promise<{ readonly path: string; release(): Promise<void> }>;
  /** Objects whose key starts with `prefix`, in no particular order. */
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly bytes: number }>;
  /** Removes an object; one that is not there is no error. */
  remove(key: string): Promise<void>;
  /** What `put` has begun and not ended, in no particular order. No reader sees anything of it. */
  unfinished(): AsyncIterable<UnfinishedPut>;
  /** Removes what an unfinished `put` has left; one that is not there is no error. */
  discard(name: string): Promise<void>;
}

/** Keys of the two kinds of objects. */
export const CLICKS_PREFIX = 'clicks/';
/** Cells of recompute tasks on their way into Postgres; removed after the load. */
export const SCRATCH_PREFIX = 'scratch/';
