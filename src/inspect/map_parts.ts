import { Slices } from '../slices.js'

const PARTS_BETWEEN_LOOKS = 64

/**
 * Maps the parts of a text that end with `end`, giving the event loop its turn every few milliseconds; undefined is left out. A
 * process can have 100,000 open files, a host as many sockets.
 */
export async function mapParts<T>(
  data: Buffer,
  end: string,
  make: (part: string) => T | undefined,
): Promise<T[]> {
  const code = end.charCodeAt(0)
  const made: T[] = []
  const slices = new Slices()
  let count = 0
  for (let at = 0; at < data.length; ) {
    const found = data.indexOf(code, at)
    const to = found < 0 ? data.length : found
    const value = make(data.toString('utf8', at, to))
    if (value !== undefined) made.push(value)
    at = to + 1
    if (++count % PARTS_BETWEEN_LOOKS === 0 && slices.isOver) await slices.next()
  }
  return made
}
