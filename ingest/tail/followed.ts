import { openContent } from './content.js';
import type { Content } from './content.js';
import type { RecordReader } from '../formats/record-reader.js';
import type { KnownFile, SeenFile } from './known-file.js';
import { UnreadSince } from './unread.js';

/** A known file at work. */
export interface Followed {
  known: KnownFile;
  /** What the last scan found; undefined while no file holds it. */
  seen: SeenFile | undefined;
  content: Content | undefined;
  reader: RecordReader | undefined;
  /** State of the file in which there was nothing to take. */
  exhausted: (Pick<SeenFile, 'size' | 'mtimeMs'> & { readonly closed: boolean }) | undefined;
  /** Why it is not read before the next start. */
  problem: string | undefined;
  /** Why it cannot be read now. */
  hindrance: string | undefined;
  /** Of its bytes some are on their way to Kafka. */
  inFlight: boolean;
  readonly unread: UnreadSince;
}

export function follow(known: KnownFile, seen: SeenFile | undefined): Followed {
  return {
    known,
    seen,
    content: undefined,
    reader: undefined,
    exhausted: undefined,
    problem: undefined,
    hindrance: undefined,
    inFlight: false,
    unread: new UnreadSince(),
  };
}

/** Bytes that wait; of a gz file that was not read to its end all of it, compressed. */
export function unreadBytes({ known, seen }: Followed): number {
  if (seen === undefined) return 0;
  if (seen.gz) return known.archiveBytes === seen.size ? 0 : seen.size;
  return Math.max(0, seen.size - known.offset);
}

/** Bytes of a file that wait, and since when (ms since 1970). */
export interface Lag {
  readonly path: string;
  readonly bytes: number;
  readonly sinceMs: number | undefined;
}

export function lagOf(followed: Followed): Lag {
  const { known, unread } = followed;
  const bytes = unreadBytes(followed);
  return { path: known.path, bytes, sinceMs: bytes > 0 ? unread.since(known.offset) : undefined };
}

/** The content of what was seen; undefined if another file has the name by now, or none. */
export async function contentOf(followed: Followed, seen: SeenFile): Promise<Content | undefined> {
  if (followed.content !== undefined) return followed.content;
  const content = await openSeen(seen);
  followed.content = content;
  return content;
}

export async function openSeen(seen: SeenFile): Promise<Content | undefined> {
  let content: Content;
  try {
    content = await openContent(seen.path, seen.gz);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (content.fileId === seen.fileId) return content;
  await content.close();
  return undefined;
}

export async function closeContent(followed: Followed): Promise<void> {
  const { content } = followed;
  followed.content = undefined;
  await content?.close();
}

/**
 * Holds those files open that changed last, at most so many: they are read to their end wherever they
 * are moved to. The others are opened when they have grown.
 */
export async function holdOpen(all: Iterable<Followed>, openMax: number): Promise<void> {
  const held = [...all].filter(
    ({ inFlight, seen, content }) =>
      !inFlight && seen?.named !== 'gone' && (content !== undefined || seen?.named === 'asked'),
  );
  held.sort((a, b) => (b.seen?.mtimeMs ?? 0) - (a.seen?.mtimeMs ?? 0));
  for (const one of held.slice(openMax)) await closeContent(one);
  for (const one of held.slice(0, openMax)) {
    const { seen, problem } = one;
    if (seen === undefined || seen.gz || problem !== undefined) continue;
    // One that cannot be opened, and has nothing unread, is no trouble yet.
    await contentOf(one, seen).catch(() => undefined);
  }
}
