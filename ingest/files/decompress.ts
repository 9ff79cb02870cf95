import { Readable, pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { TruecountError } from '../../core/errors.js';
import { ByteReader } from './byte-reader.js';
import { LOST_BEHIND_ZEROS, trailingZeros } from './gzip-padding.js';
import { SIGNATURE_BYTES, kindOfBytes } from './kind-of-bytes.js';
import { unzstd } from './unzstd.js';

/** gzip (RFC 1952) and zstd (RFC 8878), by their first bytes; skippable frames may lead zstd. */
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD_ENDS = Buffer.from([0xb5, 0x2f, 0xfd]);
const SKIPPABLE_ENDS = Buffer.from([0x2a, 0x4d, 0x18]);

export type Compression = 'none' | 'gzip' | 'zstd';

/** What unpacks to stdout what is not read. */
const UNPACKED_BY: Readonly<Record<string, string>> = {
  xz: 'xz -dc',
  bzip2: 'bzip2 -dc',
  zip: 'unzip -p',
};

/**
 * Looks at the first bytes of a source: what is compressed otherwise would be taken for lines.
 * @throws TruecountError `invalid_argument` naming the file, with the command that unpacks it
 */
export function assertReadable(start: Buffer, name: string): void {
  const kind = kindOfBytes(start);
  const unpack = UNPACKED_BY[kind];
  if (unpack === undefined) return;
  throw new TruecountError(
    'invalid_argument',
    `${name} is compressed by ${kind}, which is not read`,
    {
      hint:
        `unpack it on the way: ${unpack} ${name === 'stdin' ? 'FILE' : name} | truecount ingest - ` +
        '(with --format, if it is no NDJSON)',
      context: { file: name },
    },
  );
}

/** What the first 4 bytes of a source say; its name says nothing. */
export function compressionOf(start: Buffer): Compression {
  if (start.subarray(0, 2).equals(GZIP)) return 'gzip';
  const ends = start.subarray(1, 4);
  if (start[0] === 0x28 && ends.equals(ZSTD_ENDS)) return 'zstd';
  return start[0]! >> 4 === 5 && ends.equals(SKIPPABLE_ENDS) ? 'zstd' : 'none';
}

/**
 * A source as it was before it was compressed; as it is, if it was not. Concatenated members and
 * frames are one content. Never holds more than a window and a block, whatever is in it.
 * @throws TruecountError `invalid_argument` naming the file if its data are damaged or truncated,
 * and what came before that is good; or if they are compressed in a way that is not read.
 */
export async function* decompressed(
  source: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  const start = await reader.takeUpTo(SIGNATURE_BYTES);
  assertReadable(start, name);
  const compression = compressionOf(start);
  const raw = reader.rest(start);
  if (compression === 'none') {
    yield* raw;
    return;
  }
  const failures: unknown[] = [];
  const watched = watch(raw, failures);
  try {
    if (compression === 'gzip') yield* gunzipped(watched);
    else yield* unzstd(new ByteReader(watched));
  } catch (cause) {
    // Not the data's fault: the source could not be read.
    if (failures.length > 0) throw failures[0];
    throw damaged(name, compression, cause);
  }
}

/** Passes a source on, and notes its failure. */
async function* watch(source: AsyncIterable<Buffer>, failures: unknown[]): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    failures.push(error);
    throw error;
  }
}

async function* gunzipped(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  let readBytes = 0;
  let zerosAtEnd = 0;
  const next = async (): Promise<Buffer | undefined> => {
    const result = await chunks.next();
    if (result.done === true) return undefined;
    const chunk = result.value;
    readBytes += chunk.length;
    const zeros = trailingZeros(chunk);
    zerosAtEnd = zeros === chunk.length ? zerosAtEnd + zeros : zeros;
    return chunk;
  };
  async function* counted(): AsyncGenerator<Buffer> {
    for (let chunk; (chunk = await next());) yield chunk;
  }
  const gunzip = createGunzip();
  try {
    pipeline(Readable.from(counted(), { objectMode: false }), gunzip, () => {
      // Errors reach the reader of gunzip, which the pipeline destroys with them.
    });
    yield* gunzip as AsyncIterable<Buffer>;
    // At zeros zlib stops, and reads no more; only padding may be left.
    do {
      if (readBytes - gunzip.bytesWritten > zerosAtEnd) throw new RangeError(LOST_BEHIND_ZEROS);
    } while ((await next()) !== undefined);
  } finally {
    await chunks.return?.();
  }
}

function damaged(name: string, compression: Compression, cause: unknown): TruecountError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TruecountError(
    'invalid_argument',
    `the ${compression} data of ${name} are damaged or truncated: ${why}`,
    {
      hint: 'get the file again and ingest it: what was sent of it counts once',
      context: { file: name },
      cause,
    },
  );
}
