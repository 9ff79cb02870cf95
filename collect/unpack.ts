import { createGunzip } from 'node:zlib';
import { TruecountError } from '../core/errors.js';
import { LOST_BEHIND_ZEROS, isPadding } from '../ingest/files/gzip-padding.js';
import type { Allowance } from './budget.js';

/** As many as libuv's pool has threads by default: more would only hold memory side by side. */
const RUNNING_MAX = 4;

/** Unpacks gzip bodies, a few at a time; the others wait, holding no more than they sent. */
export class Unpacker {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /**
   * Stops as soon as more than `bytesMax` come out, however little went in; what comes out is taken
   * from the allowance piece by piece.
   * @throws TruecountError `body_too_large`, `overloaded`, `invalid_argument` for what is no gzip
   */
  async unpack(body: Buffer, bytesMax: number, allowance: Allowance): Promise<Buffer> {
    if (this.running === RUNNING_MAX) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else this.running++;
    try {
      return await gunzipped(body, bytesMax, allowance);
    } finally {
      // The turn goes to the next, or is free again.
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}

async function gunzipped(body: Buffer, bytesMax: number, allowance: Allowance): Promise<Buffer> {
  const gunzip = createGunzip();
  gunzip.end(body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      allowance.take(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof TruecountError) throw error;
    throw notWhole('the body is no gzip', error as Error);
  }
  // Of nothing at all zlib does not complain.
  if (body.length === 0) throw notWhole('the body is no gzip');
  if (!isPadding(body.subarray(gunzip.bytesWritten))) {
    throw notWhole(`the gzip body has ${LOST_BEHIND_ZEROS}`);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

export function tooLarge(bytesMax: number): TruecountError {
  return new TruecountError(
    'body_too_large',
    `the body is longer than ${String(bytesMax)} bytes, as it came or unpacked`,
    { hint: 'nothing of it was taken; send the clicks in several requests' },
  );
}

export function notWhole(message: string, cause?: Error): TruecountError {
  return new TruecountError('invalid_argument', message, { cause });
}
