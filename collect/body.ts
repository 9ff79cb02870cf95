import type { IncomingMessage } from 'node:http';
import { gunzip } from 'node:zlib';
import { TruecountError } from '../core/errors.js';
import type { Allowance } from './budget.js';

/**
 * The body of a request, unpacked if it is gzip. At most `bytesMax` are taken, before and after;
 * what is held is taken from the allowance as it arrives.
 * @throws TruecountError `body_too_large`, `overloaded`, `unsupported_content` for an encoding but
 * gzip, `invalid_argument` for a body that is not whole
 */
export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
  allowance: Allowance,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new TruecountError('unsupported_content', 'the content encoding is not read', {
      hint: 'send the body as it is, or as gzip',
    });
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const body = await received(request, bytesMax, allowance);
  return encoding === 'gzip' ? unpacked(body, bytesMax, allowance) : body;
}

function received(request: IncomingMessage, bytesMax: number, allowance: Allowance) {
  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error): void => {
      request.pause();
      request.removeListener('data', onData);
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) return void fail(tooLarge(bytesMax));
      try {
        allowance.take(chunk.length);
      } catch (error) {
        return void fail(error as Error);
      }
      chunks.push(chunk);
    };
    request.on('data', onData);
    request.once('end', () => {
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.once('error', (cause) => {
      fail(notWhole('the connection ended before the body did', cause));
    });
  });
}

/** No deflate stream unpacks to more times its length (zlib's own documentation: 1032 : 1). */
const EXPANSION_MAX = 1032;

/** Stops as soon as more than `bytesMax` come out, however little went in. */
function unpacked(body: Buffer, bytesMax: number, allowance: Allowance): Promise<Buffer> {
  const reserved = Math.min(bytesMax, EXPANSION_MAX * body.length);
  allowance.take(reserved);
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: bytesMax }, (error, result) => {
      if (error === null) {
        allowance.take(result.length - reserved); // what did not come out is free again
        resolve(result);
      } else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        reject(tooLarge(bytesMax));
      } else reject(notWhole('the body is no gzip', error));
    });
  });
}

function tooLarge(bytesMax: number): TruecountError {
  return new TruecountError(
    'body_too_large',
    `the body is longer than ${String(bytesMax)} bytes, as it came or unpacked`,
    { hint: 'nothing of it was taken; send the clicks in several requests' },
  );
}

function notWhole(message: string, cause: Error): TruecountError {
  return new TruecountError('invalid_argument', message, { cause });
}
