import type pg from 'pg';

/** What the watermark function and the views take from the configuration; all in ms. */
export interface ReadingSettings {
  readonly outOfOrdernessMs: number;
  readonly idleTimeoutMs: number;
  /** How long an owner may be silent before its partition counts as unowned. */
  readonly leaseMs: number;
  readonly graceMs: number;
  /** The topics that are read; the partitions of others hold no watermark back. Absent: all. */
  readonly topics?: readonly string[];
}

/**
 * Writes the settings that readers use. Whoever brings the schema up to date calls it with the
 * configuration in force; nothing is written where nothing changes.
 */
export async function writeReadingSettings(
  client: pg.ClientBase | pg.Pool,
  settings: ReadingSettings,
): Promise<void> {
  await client.query(
    `update reading_settings
        set (out_of_orderness_ms, idle_timeout_ms, lease_ms, grace_ms, topics)
          = ($1, $2, $3, $4, $5)
      where (out_of_orderness_ms, idle_timeout_ms, lease_ms, grace_ms, topics)
            is distinct from ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::text[])`,
    [
      settings.outOfOrdernessMs,
      settings.idleTimeoutMs,
      settings.leaseMs,
      settings.graceMs,
      settings.topics ?? null,
    ],
  );
}
