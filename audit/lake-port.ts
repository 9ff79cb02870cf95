/** The lake as the audit reads it: a port, and only the reading half of it. */
export interface AuditLake {
  /** For people: the address of the lake. */
  readonly url: string;
  /** Objects whose key starts with `prefix`, in no particular order. */
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly bytes: number }>;
  /** A local path with the object's bytes, valid until `release`. Throws `lake_file_missing`. */
  fetch(key: string): Promise<{ readonly path: string; release(): Promise<void> }>;
  /** Uploads that are under way or never ended: no objects, and no reader sees them. */
  unfinished(): AsyncIterable<{
    readonly name: string;
    readonly bytes: number;
    /** When it began or was last added to, epoch ms. */
    readonly sinceMs: number;
  }>;
}
