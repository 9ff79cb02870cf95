/** COPY … FROM STDIN in binary form over node-postgres, for the staged variant. */
import pg from 'pg';
import { encodeInt4Array } from '../../store/pg-array.js';
import type { Rows } from './rows.js';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const POSTGRES_EPOCH_MS = 946_684_800_000;

export function encodeCopyRows(rows: Rows, slot: number): Buffer {
  const parts: Buffer[] = [SIGNATURE];
  for (let i = 0; i < rows.n; i++) {
    const counts = rows.counts.subarray(i * rows.length, (i + 1) * rows.length);
    const start = Buffer.alloc(8);
    start.writeBigInt64BE(BigInt(rows.start[i]! - POSTGRES_EPOCH_MS) * 1000n);
    const fields = [start, Buffer.from(rows.filter[i]!), Buffer.from(rows.ad[i]!), int4(slot)];
    parts.push(Buffer.of(0, 5));
    for (const field of [...fields, encodeInt4Array(counts)]) parts.push(int4(field.length), field);
  }
  parts.push(Buffer.of(0xff, 0xff));
  return Buffer.concat(parts);
}

export async function copyBinary(client: pg.Client, table: string, body: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const query = new pg.Query(`copy ${table} from stdin (format binary)`);
    Object.assign(query, {
      callback: (error: Error | null) => (error ? reject(error) : resolve()),
      handleCopyInResponse: (connection: CopyConnection) => {
        connection.sendCopyFromChunk(body);
        connection.endCopyFrom();
      },
    });
    client.query(query);
  });
}

interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

function int4(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}
