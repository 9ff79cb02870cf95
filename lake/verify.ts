import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { TruecountError } from '../core/errors.js';
import { RESTORE_HINT } from '../core/lake-file.js';
import type { LakeStore } from './store.js';

/** What the manifest says of an object. */
export interface ExpectedObject {
  readonly key: string;
  readonly bytes: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
}

/**
 * A local path with an object's bytes, once size and SHA-256 are those that the manifest has: no
 * reader looks into a file before. Valid until `release`.
 * @throws TruecountError `lake_file_missing`, `lake_file_damaged` (naming the key),
 * `lake_unavailable`
 */
export async function fetchVerified(
  store: LakeStore,
  file: ExpectedObject,
): Promise<{ readonly path: string; release(): Promise<void> }> {
  const fetched = await store.fetch(file.key);
  try {
    const { size } = await stat(fetched.path);
    if (size !== file.bytes) {
      throw damaged(file, `it has ${String(size)} bytes instead of ${String(file.bytes)}`);
    }
    const sha256 = await sha256OfFile(fetched.path);
    if (sha256 !== file.sha256) {
      throw damaged(file, `its SHA-256 is ${sha256} instead of ${file.sha256}`);
    }
    return fetched;
  } catch (error) {
    await fetched.release();
    throw error;
  }
}

/** SHA-256 of a local file, as 64 lower-case hex digits. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

function damaged({ key }: ExpectedObject, what: string): TruecountError {
  return new TruecountError('lake_file_damaged', `${key}: ${what}`, {
    hint: RESTORE_HINT,
    context: { key },
  });
}
