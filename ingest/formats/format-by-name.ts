import { basename } from 'node:path';
import type { Format } from './record-reader.js';

/** The format that a log's name tells, also when it was rotated or compressed; else NDJSON. */
export function formatByName(path: string): Format {
  const parts = basename(path).toLowerCase().split(/[.-]/);
  if (parts.includes('csv')) return 'csv';
  return parts.includes('tsv') ? 'tsv' : 'ndjson';
}
