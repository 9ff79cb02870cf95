import type { GeneratedRecord } from './generate.js';
import type { Truth } from './truth.js';

const CHUNK_CHARS = 65_536;

/** The lines of a load with their line ends, in pieces that are worth a write. */
export function* ndjsonChunks(load: Iterable<GeneratedRecord>): Generator<Buffer> {
  let text = '';
  for (const { line } of load) {
    if (typeof line === 'string') {
      text += `${line}\n`;
      if (text.length < CHUNK_CHARS) continue;
      yield Buffer.from(text);
    } else {
      yield Buffer.concat([Buffer.from(text), line, Buffer.from('\n')]);
    }
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

/** The true cells as NDJSON lines `{ad_id, minute, filter, count}`, in pieces as above. */
export function* truthChunks(truth: Truth): Generator<Buffer> {
  let text = '';
  for (const { adId, minuteMs, filter, count } of truth.cells()) {
    const minute = new Date(minuteMs).toISOString().replace('.000Z', 'Z');
    text += `${JSON.stringify({ ad_id: adId, minute, filter, count })}\n`;
    if (text.length < CHUNK_CHARS) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}
