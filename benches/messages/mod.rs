//! Records as senders write them.

use callrated::wire::radius;

/// Native ones of 250 bytes.
pub fn json(count: usize) -> Vec<String> {
    let line = |i: usize| {
        format!(
            r#"{{"id":"{i:08x}-7d1c-4e0f-9a51","node":"sbc-fra-1","source":"+49301234{:05}","destination":"00441132{:06}","start":"2026-10-05T09:00:00.250Z","answer":"2026-10-05T09:00:07.125Z","duration":{}.{:03},"cause":16,"seq":{i},"codec":"opus"}}"#,
            i % 100_000,
            i * 7 % 1_000_000,
            i % 4000,
            i % 1000,
        )
    };
    (0..count).map(line).collect()
}

/// The same as CSV, behind their header.
pub fn csv(count: usize) -> Vec<String> {
    let line = |i: usize| {
        format!(
            "{i:08x}-7d1c-4e0f-9a51,sbc-fra-1,+49301234{:05},00441132{:06},2026-10-05T09:00:00.250Z,2026-10-05T09:00:07.125Z,{}.{:03},16,{i},opus",
            i % 100_000,
            i * 7 % 1_000_000,
            i % 4000,
            i % 1000,
        )
    };
    let header = "id,node,source,destination,start,answer,duration,cause,seq,codec".to_owned();
    std::iter::once(header).chain((0..count).map(line)).collect()
}

/// A Stop of a Cisco gateway.
pub fn cisco_stop(i: usize) -> Vec<u8> {
    let mut packet = vec![radius::ACCOUNTING_REQUEST, i as u8, 0, 0];
    packet.resize(20, 0);
    let mut put = |kind: u8, value: &[u8]| {
        packet.extend_from_slice(&[kind, value.len() as u8 + 2]);
        packet.extend_from_slice(value);
    };
    put(40, &2u32.to_be_bytes());
    put(44, format!("{i:08X}").as_bytes());
    put(4, &[192, 0, 2, 7]);
    put(31, format!("+49301234{:05}", i % 100_000).as_bytes());
    put(30, format!("00441132{:06}", i * 7 % 1_000_000).as_bytes());
    put(46, &61u32.to_be_bytes());
    put(55, &1_795_297_061u32.to_be_bytes());
    for (kind, value) in [
        (24, format!("h323-conf-id={i:08X} 00112233 44556677 8899AABB")),
        (26, "h323-call-origin=answer".to_owned()),
        (27, "h323-call-type=VoIP".to_owned()),
        (25, format!("h323-setup-time=*21:36:36.{:03} UTC Sat Nov 21 2026", i % 1000)),
        (28, format!("h323-connect-time=*21:36:40.{:03} UTC Sat Nov 21 2026", i % 1000)),
        (29, format!("h323-disconnect-time=*21:37:{:02}.456 UTC Sat Nov 21 2026", i % 60)),
        (30, "h323-disconnect-cause=10".to_owned()),
        (1, "h323-ivr-out=accountcode:acct-42".to_owned()),
    ] {
        let mut inside = vec![0, 0, 0, 9, kind, value.len() as u8 + 2];
        inside.extend_from_slice(value.as_bytes());
        put(26, &inside);
    }
    radius::sign::sign_request(&mut packet, b"secret");
    packet
}
