import { basename } from 'node:path';
import type { KnownFile, SeenFile } from './known-file.js';

/**
 * A time in a file's name: year, month and perhaps more, as in access-2026-11-21.log or
 * app.20261121-15.log, or seconds since 1970, as Apache's rotatelogs writes them where no format is
 * given (httpd 2.4, "rotatelogs"). Other numbers (ports, servers) do not say which file is later.
 */
const TIME =
  /(?<!\d)(?:(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?(?:0[1-9]|[12]\d|3[01])(?:[-_.T]?[0-5]\d){0,3})?|1[5-9]\d{8})(?!\d)/;

interface Dated {
  /** What it has in common with the files that come before and after it. */
  readonly family: string;
  /** Greater is later, within a family. */
  readonly time: string;
}

/** Undefined without a time in the name. */
function datedOf(path: string): Dated | undefined {
  const name = basename(path);
  const match = TIME.exec(name);
  if (match === null) return undefined;
  const before = path.slice(0, path.length - name.length + match.index);
  const after = name.slice(match.index + match[0].length);
  return { family: `${before}*${after}`, time: match[0].replaceAll(/\D/g, '') };
}

/** Of each family of files that are named alike but for a time, the latest. */
export type Latest = ReadonlyMap<string, { readonly time: string; readonly appearedMs: number }>;

export function latestByFamily(files: readonly SeenFile[]): Latest {
  const latest = new Map<string, { time: string; appearedMs: number }>();
  for (const { path, appearedMs } of files) {
    const dated = datedOf(path);
    if (dated === undefined) continue;
    const { family, time } = dated;
    if (time > (latest.get(family)?.time ?? '')) latest.set(family, { time, appearedMs });
  }
  return latest;
}

/**
 * Whether nobody will write to the file any more, so that a last line without an end is one: it
 * has been quiet for the grace period, and it was renamed or deleted, is a gz file, or has a time in
 * its name and there is another with a later one, which appeared when nothing, or for no longer than
 * the grace period, was written to this one: two files that are written to side by side are no
 * rotation, whatever their names are.
 */
export function isClosed(
  file: SeenFile,
  known: Pick<KnownFile, 'firstPath'>,
  latest: Latest,
  times: { readonly nowMs: number; readonly graceMs: number },
): boolean {
  if (times.nowMs - file.quietSinceMs < times.graceMs) return false;
  if (file.gz || file.named === 'gone' || file.path !== known.firstPath) return true;
  const dated = datedOf(file.path);
  const later = dated && latest.get(dated.family);
  if (dated === undefined || later === undefined || later.time <= dated.time) return false;
  return file.mtimeMs <= later.appearedMs + times.graceMs;
}
