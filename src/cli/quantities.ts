import { wordedDuration } from '../public/text.js'

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const

/** `1536` as `1.5K`, as ps and top write it: 1024 steps, three digits at most, no space. */
export function shortBytes(bytes: number): string {
  const sign = bytes < 0 ? '-' : ''
  let rest = Math.abs(bytes)
  let unit = 0
  // 999.5 would be rounded to four digits.
  while (unit < UNITS.length - 1 && rest >= 999.5) {
    rest /= 1024
    unit++
  }
  const digits = unit > 0 && rest < 9.95 ? 1 : 0
  return `${sign}${rest.toFixed(digits)}${UNITS[unit]}`
}

/** Seconds as `7s`, `12:34`, `5h12m`, `3d04h`: never wider than six cells below 100 days. */
export function shortAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}`
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`
  return `${Math.floor(whole / 86_400)}d${two((whole % 86_400) / 3600)}h`
}

/** Nanoseconds as `0.04s`, `12.3s`, `12:34`, `5h12m`: what is short is shown finer than an age. */
export function shortTime(ns: number): string {
  const seconds = ns / 1e9
  if (seconds < 9.995) return `${seconds.toFixed(2)}s`
  return seconds < 59.95 ? `${seconds.toFixed(1)}s` : shortAge(seconds)
}

/** Milliseconds as `310 us`, `4.9 ms`, then as `wordedDuration`: for what may be very short. */
export function fineDuration(ms: number): string {
  const us = Math.round(ms * 1000)
  if (us < 1000) return `${us} us`
  return ms < 10 ? `${Number(ms.toFixed(1))} ms` : wordedDuration(ms)
}

/** Local time of day with milliseconds. */
export function clockTime(atMs: number): string {
  const date = new Date(atMs)
  const pad = (value: number, width: number): string => String(value).padStart(width, '0')
  return `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}.${pad(date.getMilliseconds(), 3)}`
}

export function localDate(atMs: number): string {
  const date = new Date(atMs)
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`
}
