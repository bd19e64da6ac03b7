/* The DSS checksum covers all payload (RFC 8684 §3.3.1): a second pass over what the application has just had copied. So where
 * it was agreed on, the bytes are summed while they are copied, and the buffer notes the sum of each BUF_NOTE_BYTES that one
 * copy filled from end to end. A mapping then adds up the notes of what it covers; only its edges, what came in smaller
 * writes, and what was written by reference are read again.
 *
 * A note of 0 says nothing; zeros are noted as 0xffff, which is the same modulo that: the length beside them in the checksum is never
 * 0, so the whole never is. Notes stand at even offsets of the
 * buffer; a slice that begins at an odd one has them swapped, as any sum is.
 *
 * When data arrives the same would be wrong: the application's copy comes after the DATA_ACK, and that may not be said of data whose
 * checksum failed, of which nothing may be delivered either (§3.7): they are summed before. */
#include "subflow.h"

#include <string.h>
#include <wire/checksum.h>

static uint16_t note_of(uint64_t sum) {
    uint16_t folded = checksum_fold(sum);
    return folded != 0 ? folded : 0xffff;
}

void written_copy(struct braid_buf *buf, uint32_t offset, const uint8_t *bytes, uint32_t length) {
    uint8_t *to = buf->bytes + offset;
    uint32_t lead = (BUF_NOTE_BYTES - offset % BUF_NOTE_BYTES) % BUF_NOTE_BYTES;
    if (lead > length) lead = length;
    memcpy(to, bytes, lead);
    uint32_t at = lead;
    for (; length - at >= BUF_NOTE_BYTES; at += BUF_NOTE_BYTES)
        buf->notes[(offset + at) / BUF_NOTE_BYTES] = note_of(checksum_copy(to + at, bytes + at, BUF_NOTE_BYTES));
    memcpy(to + at, bytes + at, length - at);
}

static uint64_t sum_of(const struct braid_slice *slice, uint32_t from, uint32_t to) {
    return to > from ? checksum_shift(checksum_sum(slice->bytes + from, to - from), from) : 0;
}

uint64_t written_sum(const struct braid_slice *slice) {
    const uint16_t *notes = slice->buf != NULL ? slice->buf->notes : NULL;
    if (notes == NULL) return checksum_sum(slice->bytes, slice->length);
    uint32_t offset = (uint32_t)(slice->bytes - slice->buf->bytes);
    uint32_t note = (offset + BUF_NOTE_BYTES - 1) / BUF_NOTE_BYTES, end = (offset + slice->length) / BUF_NOTE_BYTES;
    uint32_t unread = 0; /* from here on, of the slice, nothing was summed yet */
    uint64_t noted = 0, sum = 0;
    for (; note < end; note++) {
        uint32_t at = note * BUF_NOTE_BYTES - offset;
        if (notes[note] == 0) continue;
        noted += notes[note];
        sum += sum_of(slice, unread, at);
        unread = at + BUF_NOTE_BYTES;
    }
    return sum + checksum_shift(noted, offset) + sum_of(slice, unread, slice->length);
}
