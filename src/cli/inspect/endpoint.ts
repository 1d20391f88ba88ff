/** An address and port as people write them: `127.0.0.1:80`, `[::1]:80`, a path; not escaped. */
export function endpoint(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return '-'
  if (port === undefined) return address
  return `${address.includes(':') ? `[${address}]` : address}:${port === 0 ? '*' : port}`
}
