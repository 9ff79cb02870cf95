import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256OfFile } from '../../../lake/verify.js';
import { openTestLake } from '../../support/lake-files.js';
import type { Rig } from './rig.js';

/** What may befall a file of the lake. */
export interface Damage {
  readonly name: string;
  /** Of the error that a recompute ends with, and what it says. */
  readonly code: string;
  readonly saying: RegExp;
  /** What becomes of its bytes, where there is another file; null: it is gone. */
  readonly bytes: (bytes: Buffer, other: Buffer) => Buffer | null;
  /** Instead of that: this many rows in place of each, in a sound file that the manifest lists. */
  readonly rowsForOne?: number;
}

const damaged = { code: 'lake_file_damaged', bytes: (bytes: Buffer) => bytes };

export const DAMAGES: readonly Damage[] = [
  { ...damaged, name: 'one bit flipped', saying: /SHA-256 is/, bytes: flipped },
  {
    ...{ ...damaged, name: 'its end cut off', saying: /bytes instead of/ },
    bytes: (bytes) => bytes.subarray(0, bytes.length - 9),
  },
  {
    ...{ ...damaged, name: 'swapped with a file of another hour' },
    saying: /bytes instead of|SHA-256 is/,
    bytes: (_bytes, other) => other,
  },
  { ...{ name: 'missing', code: 'lake_file_missing', saying: /clicks\// }, bytes: () => null },
  { ...damaged, name: 'a bomb', saying: /says \d{6,} rows, the manifest \d/, rowsForOne: 2_000 },
];

function flipped(bytes: Buffer): Buffer {
  bytes[bytes.length >> 1]! ^= 0x10;
  return bytes;
}

interface Listed {
  readonly key: string;
  readonly bytes: string;
  readonly sha256: string;
}

/** Damages a file of the hour; its key, and how all is made as it was. */
export async function damageFile(
  rig: Rig,
  hourMs: number,
  { bytes: damage, rowsForOne }: Damage,
): Promise<{ readonly key: string; restore(): Promise<void> }> {
  const victim = await fileOf(rig, hourMs, true);
  const other = await fileOf(rig, hourMs, false);
  const [path, pathOfOther] = [victim, other].map(({ key }) => join(rig.config.lakeUrl, key)) as [
    string,
    string,
  ];
  const [bytes, bytesOfOther] = [await readFile(path), await readFile(pathOfOther)];
  const replacement = damage(Buffer.from(bytes), bytesOfOther);
  if (rowsForOne !== undefined) await enlarge(rig, path, victim.key, rowsForOne);
  else if (replacement === null) await rm(path);
  else await writeFile(path, replacement);
  if (replacement === bytesOfOther) await writeFile(pathOfOther, bytes);
  return {
    key: victim.key,
    async restore() {
      await writeFile(path, bytes);
      await writeFile(pathOfOther, bytesOfOther);
      await relist(rig, victim);
    },
  };
}

/** The first file in the manifest that has clicks of the hour, or that has none. */
async function fileOf({ pool }: Rig, hourMs: number, ofHour: boolean): Promise<Listed> {
  const { rows } = await pool.query<Listed>(
    `select key, bytes, sha256 from lake_files f
      where exists (select from lake_file_hours h where h.file = f.id and h.hour = $1) = $2
      order by id limit 1`,
    [new Date(hourMs), ofHour],
  );
  return rows[0]!;
}

/** Size and hash in the manifest are right then: only the rows are not. */
async function enlarge(rig: Rig, path: string, key: string, times: number): Promise<void> {
  const lake = await openTestLake();
  try {
    const select = `select c.* from read_parquet('${path}') c, range(${String(times)})`;
    const file = await lake.writeSql(select, 1);
    const { path: large } = await lake.lake.fetch(file.key);
    await writeFile(path, await readFile(large));
    await relist(rig, { key, bytes: String(file.bytes), sha256: await sha256OfFile(large) });
  } finally {
    await lake.close();
  }
}

async function relist({ pool }: Rig, { key, bytes, sha256 }: Listed): Promise<void> {
  await pool.query('update lake_files set bytes = $2, sha256 = $3 where key = $1', [
    key,
    bytes,
    sha256,
  ]);
}
