#include <sim/packet_text.h>

#include <stdarg.h>
#include <stdio.h>
#include <inttypes.h>
#include <wire/icmp.h>
#include <wire/mptcp_option.h>

struct text {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(t->at, t->room, format, arguments);
    va_end(arguments);
    size_t taken = length < 0 ? 0 : (size_t)length < t->room ? (size_t)length : t->room - 1;
    t->at += taken;
    t->room -= taken;
}

static void say_address(struct text *t, const struct ip_address *address) {
    char text[IP_ADDRESS_TEXT_MAX];
    say(t, "%s", ip_address_format(address, text));
}

static void say_mp_capable(struct text *t, const struct mp_capable *o) {
    say(t, "v%u%s", o->version, o->checksum_required ? " csum" : "");
    if (o->has_sender_key) say(t, " {%016" PRIx64, o->sender_key);
    if (o->has_receiver_key) say(t, ",%016" PRIx64, o->receiver_key);
    if (o->has_sender_key) say(t, "}");
    if (o->has_data_length) say(t, " length %u", o->data_length);
}

static void say_mp_join(struct text *t, const struct mp_join *o) {
    if (o->form == MP_JOIN_ACK) {
        say(t, "hmac %02x%02x%02x%02x..", o->hmac160[0], o->hmac160[1], o->hmac160[2], o->hmac160[3]);
        return;
    }
    say(t, "id %u%s", o->address_id, o->backup ? " backup" : "");
    if (o->form == MP_JOIN_SYN) say(t, " token %08x", o->token);
    else say(t, " hmac %016" PRIx64, o->hmac64);
    say(t, " nonce %08x", o->nonce);
}

static void say_dss(struct text *t, const struct dss *o) {
    const char *gap = "";
    if (o->data_fin) say(t, "fin"), gap = " ";
    if (o->has_data_ack) say(t, "%sack %" PRIu64, gap, o->data_ack), gap = " ";
    if (o->has_mapping) say(t, "%sseq %" PRIu64 " subseq %u len %u", gap, o->dsn, o->subflow_seq, o->data_length);
    if (o->has_checksum) say(t, " csum %04x", o->checksum);
}

static void say_mptcp(struct text *t, const struct tcp_raw_option *raw) {
    struct mptcp_option o;
    if (mptcp_option_decode(raw->bytes, raw->length, &o) != MPTCP_DECODE_OK) {
        say(t, "mptcp bad");
        return;
    }
    say(t, "%s ", mptcp_subtype_name(o.subtype));
    switch (o.subtype) {
    case MPTCP_MP_CAPABLE: say_mp_capable(t, &o.as.mp_capable); return;
    case MPTCP_MP_JOIN: say_mp_join(t, &o.as.mp_join); return;
    case MPTCP_DSS: say_dss(t, &o.as.dss); return;
    case MPTCP_ADD_ADDR:
        say(t, "%sid %u ", o.as.add_addr.echo ? "echo " : "", o.as.add_addr.address_id);
        say_address(t, &o.as.add_addr.address);
        if (o.as.add_addr.has_port) say(t, " port %u", o.as.add_addr.port);
        return;
    case MPTCP_REMOVE_ADDR:
        for (unsigned i = 0; i < o.as.remove_addr.count; i++)
            say(t, "%sid %u", i > 0 ? " " : "", o.as.remove_addr.address_ids[i]);
        return;
    case MPTCP_MP_PRIO: say(t, "%s", o.as.mp_prio.backup ? "backup" : "regular"); return;
    case MPTCP_MP_FAIL: say(t, "seq %" PRIu64, o.as.mp_fail.dsn); return;
    case MPTCP_MP_FASTCLOSE: say(t, "key %016" PRIx64, o.as.mp_fastclose.receiver_key); return;
    case MPTCP_MP_TCPRST:
        say(t, "reason %u%s", o.as.mp_tcprst.reason, o.as.mp_tcprst.transient ? " transient" : "");
        return;
    }
}

static void say_options(struct text *t, const struct tcp_options *o) {
    const char *gap = " <";
    if (o->has_mss) say(t, "%smss %u", gap, o->mss), gap = ", ";
    if (o->sack_permitted) say(t, "%ssackOK", gap), gap = ", ";
    if (o->has_timestamps) say(t, "%sTS %u %u", gap, o->timestamp_value, o->timestamp_echo), gap = ", ";
    if (o->has_window_scale) say(t, "%swscale %u", gap, o->window_scale), gap = ", ";
    if (o->sack_count > 0) say(t, "%ssack", gap), gap = ", ";
    for (unsigned i = 0; i < o->sack_count; i++) say(t, " %u-%u", o->sack[i].start.value, o->sack[i].end.value);
    for (unsigned i = 0; i < o->mptcp_count; i++) {
        say(t, "%s", gap), gap = ", ";
        say_mptcp(t, &o->mptcp[i]);
    }
    if (gap[0] == ',') say(t, ">");
}

static void say_flags(struct text *t, uint8_t flags) {
    static const char names[] = "FSRP.UEW";
    if (flags == 0) say(t, "-");
    for (int bit = 0; bit < 8; bit++)
        if (flags & 1u << bit) say(t, "%c", names[bit]);
}

static void say_tcp(struct text *t, const struct ip_header *ip, const uint8_t *bytes, bool unchecked) {
    struct tcp_segment s;
    enum tcp_decode_result result =
        tcp_segment_decode(bytes, ip->payload_length, &ip->source, &ip->destination, unchecked, &s);
    if (result != TCP_DECODE_OK) {
        say(t, "%s", tcp_decode_result_name(result));
        return;
    }
    char end[FLOW_END_TEXT_MAX];
    say(t, "%s > ", flow_end_format(&ip->source, s.source_port, end));
    say(t, "%s ", flow_end_format(&ip->destination, s.destination_port, end));
    say_flags(t, s.flags);
    say(t, " seq %u", s.seq.value);
    if (s.payload_length > 0) say(t, ":%u(%u)", s.seq.value + s.payload_length, s.payload_length);
    if (s.flags & TCP_ACK) say(t, " ack %u", s.ack.value);
    say(t, " win %u", s.window);
    say_options(t, &s.options);
}

const char *sim_packet_text(const struct sim_packet *packet, char *text, size_t room) {
    struct text t = {.at = text, .room = room};
    struct ip_header ip;
    ENSURE(room > 0);
    text[0] = '\0';
    enum ip_decode_result result = ip_decode(packet->bytes, packet->length, false, &ip);
    if (result != IP_OK) {
        say(&t, "%s", ip_decode_result_name(result));
    } else if (ip.protocol == IP_PROTOCOL_TCP && !ip.is_fragment) {
        say_tcp(&t, &ip, packet->bytes + ip.header_length, packet->checksum_partial);
    } else {
        struct icmp_error error;
        say_address(&t, &ip.source);
        say(&t, " > ");
        say_address(&t, &ip.destination);
        if (icmp_error_decode(&ip, packet->bytes + ip.header_length, ip.payload_length, &error))
            say(&t, " ICMP error %d mtu %u", (int)error.kind, error.mtu);
        else say(&t, " protocol %u, %u bytes", ip.protocol, ip.payload_length);
    }
    return text;
}
