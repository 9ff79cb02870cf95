import type { IncomingMessage } from 'node:http';
import { TruecountError } from '../core/errors.js';
import type { Allowance } from './budget.js';
import { notWhole, tooLarge, type Unpacker } from './unpack.js';

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
  unpacker: Unpacker,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new TruecountError('unsupported_content', 'the content encoding is not read', {
      hint: 'send the body as it is, or as gzip',
    });
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const body = await received(request, bytesMax, allowance);
  return encoding === 'gzip' ? unpacker.unpack(body, bytesMax, allowance) : body;
}

function received(request: IncomingMessage, bytesMax: number, allowance: Allowance) {
  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error): void => {
      request.pause();
      request.removeListener('data', onData);
      arrived();
      chunks.length = 0; // the request may be there for as long as its connection
      reject(error);
    };
    const arrived = allowance.arriving(fail);
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
      arrived();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.once('error', (cause) => {
      fail(notWhole('the connection ended before the body did', cause));
    });
  });
}
