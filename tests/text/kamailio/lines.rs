//! The README's lines for Kamailio, in a Kamailio.

use std::fs;
use std::io::Write;
use std::net::TcpListener;

use super::{PACKAGES, calls, nodes};
use crate::daemon::{Place, free_port, wait_for};
use crate::programs::{self, Running};

/// The README's part about nodes.
fn readme() -> &'static str {
    include_str!("../../../README.md").split_once("\n## Connecting a node\n").unwrap().1
}

/// The README's lines by which Kamailio posts.
fn posting() -> &'static str {
    readme().split("\n```\n").find(|block| block.contains("route[POST] {")).unwrap()
}

/// Writes a configuration that begins with its modules; false: some are missing, which is said.
fn configured(place: &Place, config: &str) -> bool {
    let folder = place.folder.path();
    place.write("radius.servers", "127.0.0.1 s3cret\n");
    place.write("radius.dictionary", &fs::read_to_string(nodes().join("radius.dictionary")).unwrap());
    let client = fs::read_to_string(nodes().join("radiusclient.conf")).unwrap().replace("@RADIUS@", "1813");
    place.write("radiusclient.conf", &client.replace("@FOLDER@", &folder.display().to_string()));
    let modules = [
        "kex",
        "tm",
        "sl",
        "rr",
        "pv",
        "siputils",
        "dialog",
        "acc",
        "mqueue",
        "acc_json",
        "rtimer",
        "http_client",
        "siptrace",
        "acc_radius",
    ];
    let config = format!(
        "#!KAMAILIO\nlisten=udp:127.0.0.1:{}\n{}modparam(\"rr\", \"append_fromtag\", 1)\n\
         modparam(\"acc_radius\", \"radius_config\", \"{}/radiusclient.conf\")\n\
         modparam(\"siptrace\", \"trace_to_database\", 0)\n{config}\n",
        free_port(),
        modules.map(|name| format!("loadmodule \"{name}.so\"\n")).concat(),
        folder.display(),
    );
    place.write("kamailio.cfg", &config);
    let said = Running::start(folder, "kamailio", &["-c", "-f", "kamailio.cfg"]).said();
    if said.contains("could not find module") {
        return programs::skipped("modules of Kamailio are not installed", PACKAGES);
    }
    assert!(said.contains("config file ok, exiting"), "{config}\n{said}");
    true
}

/// The lines that the README has for it are lines that it takes.
#[test]
fn it_takes_the_lines_of_the_readme() {
    if !programs::are_here(&["kamailio"], PACKAGES) {
        return;
    }
    let rows = readme().lines().filter(|line| line.starts_with("| Kamailio") || line.starts_with("| HEP agents"));
    let spans: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    let lines: Vec<&str> = spans.iter().copied().filter(|span| span.starts_with("modparam(")).collect();
    assert!(lines.len() >= 12, "{lines:?}");
    let variables = spans.iter().find(|span| span.starts_with("$dlg_var(callid) = ")).unwrap();
    // Only looked at here: as it is, it would open a port of its own.
    let config = format!(
        "loadmodule \"evapi.so\"\n{}\nrequest_route {{\n  setflag(1);\n  dlg_manage();\n  {variables}\n  t_relay();\n}}\n{}",
        lines.join("\n"),
        posting()
    );
    configured(&Place::new("0.03"), &config);
}

/// Its posts fail, first because we can take no more, then because we are away; each comes again, and is charged once.
#[test]
fn it_posts_again_what_was_not_taken() {
    if !programs::are_here(&["kamailio"], PACKAGES) {
        return;
    }
    let (place, port) = (Place::new("0.03"), free_port());
    let t = jiff::Timestamp::now().as_second() - 600;
    let record = |method: &str, at: i64| {
        format!(
            r#"{{"time": {at}, "method": "{method}", "from_tag": "f", "to_tag": "t", "callid": "c1", "sip_code": "200", "sip_reason": "OK", "src_user": "+4930231251", "dst_user": "+441132960100"}}"#
        )
    };
    let config = format!(
        "{}\nevent_route[core:worker-one-init] {{\n  mq_add(\"acc\", \"1\", '{}');\n  mq_add(\"acc\", \"2\", '{}');\n}}\n\
         request_route {{\n  exit;\n}}\n",
        posting().replace("10.0.0.1:7081", &format!("127.0.0.1:{port}")),
        record("INVITE", t),
        record("BYE", t + 61)
    );
    if !configured(&place, &config) {
        return;
    }
    let door = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let folder = place.folder.path();
    let arguments = ["-f", "kamailio.cfg", "-m", "32", "-M", "4", "-DD", "-E", "-Y", "."];
    let mut kamailio = Running::start(folder, "kamailio", &arguments);
    door.set_nonblocking(true).unwrap();
    let mut posted = None;
    kamailio.until("it posts", || {
        posted = door.accept().ok();
        posted.is_some()
    });
    let (mut request, _) = posted.unwrap();
    request.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    drop((request, door));
    kamailio.until_said("failed to connect()");
    let listen = format!(
        "[[listen]]\nprotocol = \"http\"\naddress = \"127.0.0.1:{port}\"\nformat = \"kamailio\"\nnode = \"kam\"\n"
    );
    let daemon = place.start(&format!("{listen}[flush]\nevery = \"1s\"\n"), &[]);
    wait_for("the call", || calls(&daemon, "a").len() == 1);
    let call = &calls(&daemon, "a")[0];
    assert_eq!((&call["id"], &call["duration"]), (&"c1;f;t".into(), &"61".into()), "{call}");
    assert_eq!(daemon.metric("callrated_records_refused_total", ""), 0);
    kamailio.stop();
}
