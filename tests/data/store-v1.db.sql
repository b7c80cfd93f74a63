-- A store of schema version 1, as `sqlite3 callrated.db .dump` writes it: three flushes of eight calls by the test's own seed.
PRAGMA application_id = 1666347825;
BEGIN TRANSACTION;
CREATE TABLE accounts (
    key           INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    billing_group INTEGER             -- of its first call; calls name a group only where it differs
);
INSERT INTO "accounts" VALUES(0,'acc00',NULL);
INSERT INTO "accounts" VALUES(1,'acc07',NULL);
INSERT INTO "accounts" VALUES(2,'acc14',NULL);
INSERT INTO "accounts" VALUES(3,'acc21',NULL);
INSERT INTO "accounts" VALUES(4,'acc28',2);
INSERT INTO "accounts" VALUES(5,'acc35',2);
INSERT INTO "accounts" VALUES(6,'acc02',NULL);
INSERT INTO "accounts" VALUES(7,'acc09',NULL);
INSERT INTO "accounts" VALUES(8,'acc16',4);
INSERT INTO "accounts" VALUES(9,'acc23',4);
INSERT INTO "accounts" VALUES(10,'acc30',5);
INSERT INTO "accounts" VALUES(11,'acc37',NULL);
INSERT INTO "accounts" VALUES(12,'acc04',NULL);
INSERT INTO "accounts" VALUES(13,'acc11',NULL);
INSERT INTO "accounts" VALUES(14,'acc18',NULL);
INSERT INTO "accounts" VALUES(15,'acc25',7);
INSERT INTO "accounts" VALUES(16,'acc32',8);
INSERT INTO "accounts" VALUES(17,'acc39',8);
INSERT INTO "accounts" VALUES(18,'acc06',NULL);
INSERT INTO "accounts" VALUES(19,'acc13',NULL);
INSERT INTO "accounts" VALUES(20,'acc20',10);
INSERT INTO "accounts" VALUES(21,'acc27',10);
INSERT INTO "accounts" VALUES(22,'acc34',11);
INSERT INTO "accounts" VALUES(23,'acc01',NULL);
INSERT INTO "accounts" VALUES(24,'acc08',999);
INSERT INTO "accounts" VALUES(25,'acc15',NULL);
INSERT INTO "accounts" VALUES(26,'acc22',13);
INSERT INTO "accounts" VALUES(27,'acc29',NULL);
INSERT INTO "accounts" VALUES(28,'acc36',NULL);
INSERT INTO "accounts" VALUES(29,'acc03',NULL);
INSERT INTO "accounts" VALUES(30,'acc10',NULL);
INSERT INTO "accounts" VALUES(31,'acc17',NULL);
INSERT INTO "accounts" VALUES(32,'acc24',16);
INSERT INTO "accounts" VALUES(33,'acc31',16);
INSERT INTO "accounts" VALUES(34,'acc38',NULL);
INSERT INTO "accounts" VALUES(35,'acc05',NULL);
INSERT INTO "accounts" VALUES(36,'acc12',18);
INSERT INTO "accounts" VALUES(37,'acc19',18);
INSERT INTO "accounts" VALUES(38,'acc26',NULL);
INSERT INTO "accounts" VALUES(39,'acc33',19);
CREATE TABLE allowances (
    period INTEGER NOT NULL, billing_group INTEGER NOT NULL, used_seconds INTEGER NOT NULL,
    PRIMARY KEY (period, billing_group)
) WITHOUT ROWID;
CREATE TABLE allowances_recent (
    row INTEGER PRIMARY KEY, period INTEGER NOT NULL, owner INTEGER NOT NULL, lines TEXT NOT NULL
);
INSERT INTO "allowances_recent" VALUES(16777216,202610,4,'[[202610,4,0],[202610,5,0],[202610,10,0],[202610,11,1902],[202610,999,0],[202611,2,0],[202611,10,0]]');
INSERT INTO "allowances_recent" VALUES(33554432,202609,10,'[[202609,10,0],[202609,16,0],[202609,19,202],[202610,7,0],[202610,8,0],[202610,10,0],[202611,2,4],[202611,4,0]]');
INSERT INTO "allowances_recent" VALUES(50331648,202609,4,'[[202609,4,1902],[202609,8,0],[202609,13,747],[202609,18,155],[202610,7,0],[202610,18,0],[202611,2,4],[202611,16,0]]');
CREATE TABLE billing_groups (key INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO "billing_groups" VALUES(0,'group0');
INSERT INTO "billing_groups" VALUES(1,'group1');
INSERT INTO "billing_groups" VALUES(2,'group2');
INSERT INTO "billing_groups" VALUES(3,'group3');
INSERT INTO "billing_groups" VALUES(4,'group4');
INSERT INTO "billing_groups" VALUES(5,'group5');
INSERT INTO "billing_groups" VALUES(6,'group6');
INSERT INTO "billing_groups" VALUES(7,'group7');
INSERT INTO "billing_groups" VALUES(8,'group8');
INSERT INTO "billing_groups" VALUES(9,'group9');
INSERT INTO "billing_groups" VALUES(10,'group10');
INSERT INTO "billing_groups" VALUES(11,'group11');
INSERT INTO "billing_groups" VALUES(12,'group12');
INSERT INTO "billing_groups" VALUES(13,'group13');
INSERT INTO "billing_groups" VALUES(14,'group14');
INSERT INTO "billing_groups" VALUES(15,'group15');
INSERT INTO "billing_groups" VALUES(16,'group16');
INSERT INTO "billing_groups" VALUES(17,'group17');
INSERT INTO "billing_groups" VALUES(18,'group18');
INSERT INTO "billing_groups" VALUES(19,'group19');
CREATE TABLE books (name TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "books" VALUES('a rated',1,'-7');
INSERT INTO "books" VALUES('tcp received',0,'24');
CREATE TABLE call_types (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO "call_types" VALUES(0,'included');
INSERT INTO "call_types" VALUES(1,'overage');
INSERT INTO "call_types" VALUES(2,'domestic_premium');
INSERT INTO "call_types" VALUES(3,'international');
INSERT INTO "call_types" VALUES(4,'toll_free');
INSERT INTO "call_types" VALUES(5,'toll_free_outbound');
INSERT INTO "call_types" VALUES(6,'emergency');
INSERT INTO "call_types" VALUES(7,'inbound');
CREATE TABLE calls (
    row                 INTEGER PRIMARY KEY,
    position            INTEGER NOT NULL,   -- of the record in the journal
    account             INTEGER NOT NULL,
    billing_group       INTEGER,            -- none: the account's own in `accounts`
    answer              INTEGER NOT NULL,
    setup               INTEGER,            -- answer minus start, microseconds
    duration            INTEGER NOT NULL,   -- microseconds
    source,                                 -- E.164 digits as a number
    source_dialled,                         -- a whole number points to `dial_forms`
    destination,
    destination_dialled,
    rating              INTEGER NOT NULL,
    billable_seconds    INTEGER NOT NULL,
    included_seconds    INTEGER NOT NULL,
    cost                INTEGER NOT NULL,   -- 10^-ratings.cost_scale
    node                NOT NULL,           -- a whole number points to `nodes`
    call_id             NOT NULL            -- packed where it is hexadecimal, a UUID or a number
);
INSERT INTO "calls" VALUES(1,500,4,NULL,6049444111888,-9223365987410664105,1910648185,3901893249,1,3901893249,1,1,316,0,294174,1,500);
INSERT INTO "calls" VALUES(2,100,8,NULL,4207188618532,NULL,1160342603,11548158,2,11548158,2,2,3744,0,881553,1,'100@host.example');
INSERT INTO "calls" VALUES(3,0,8,NULL,4246446416872,-9223367790408359118,797302929,11592291,3,NULL,'+11592291',3,925,0,963250,1,X'03CDC86D07000040008000000000000000');
INSERT INTO "calls" VALUES(4,600,10,NULL,3345993726962,7000000,3750580899,491246231,'sip:+491246231@198.51.100.7',491246231,'sip:+491246231@198.51.100.7',4,24,0,505925,2,600);
INSERT INTO "calls" VALUES(5,200,21,NULL,3950325483140,7000000,3639410682,3901043978,4,3901043978,4,5,797,0,80084,1,'200@host.example');
INSERT INTO "calls" VALUES(6,400,21,NULL,5223526774655,-9223366813328001714,2996042160,3901549229,5,NULL,'003901549229',6,3383,0,873797,2,X'032BB2EA6F000040008000000000000190');
INSERT INTO "calls" VALUES(7,300,22,NULL,3554978885405,7000000,1254748240,'01380816',4,'01380816',4,7,2955,1902,205943,3,'300@host.example');
INSERT INTO "calls" VALUES(8,700,24,NULL,4443734060792,-9223367593120715058,2416278547,11019371,4,11019371,4,8,3633,0,484984,2,X'03A2E5A0810000400080000000000002BC');
INSERT INTO "calls" VALUES(9,1001,5,NULL,6187708198682,NULL,808706724,11389634,4,11389634,4,9,36,4,102464,3,'1001@host.example');
INSERT INTO "calls" VALUES(10,1301,9,NULL,5904496344081,-9223366132358432073,2988526932,491305676,2,491305676,2,10,992,0,956919,3,1301);
INSERT INTO "calls" VALUES(11,758,15,NULL,3999707625621,NULL,3990079694,11336050,2,11336050,2,11,71,0,473700,1,'758@host.example');
INSERT INTO "calls" VALUES(12,1101,16,NULL,2914940779834,-9223369121913996347,3154285689,491833306,4,491833306,4,12,2463,0,308113,2,X'03A1C8D32B00004000800000000000044D');
INSERT INTO "calls" VALUES(13,1201,20,NULL,19734435371,NULL,2831390308,3901576208,NULL,3901576208,NULL,13,2439,0,-43586,1,X'0100000000000004B1EBFB0C2FE020C978');
INSERT INTO "calls" VALUES(14,801,20,NULL,3644564607753,-9223368392290168071,2323372471,'01872428',3,'01872428',3,14,1411,0,495948,1,801);
INSERT INTO "calls" VALUES(15,1401,32,NULL,410970198234,NULL,3869716366,491880191,3,491880191,3,15,3754,0,420393,1,X'0100000000000005793D6A871CB42AD68E');
INSERT INTO "calls" VALUES(16,901,39,NULL,1351311880476,NULL,206462613,491831949,4,491831949,4,16,1281,202,735693,2,X'0100000000000003853564E059A37CBDAD');
INSERT INTO "calls" VALUES(17,2002,4,NULL,7126987369359,-9223364909867406998,44633871,491082778,2,NULL,'091082778',17,2316,0,485361001,1,'2002@host.example');
INSERT INTO "calls" VALUES(18,1902,9,NULL,244439788417,NULL,1329355193,3901046451,4,NULL,'3901046451',18,2731,1902,939356,2,1902);
INSERT INTO "calls" VALUES(19,1554,15,NULL,3342591228099,-9223368694263548412,482341523,3901811848,'sip:+3901811848@198.51.100.7',3901811848,'sip:+3901811848@198.51.100.7',19,1640,0,627144,3,1554);
INSERT INTO "calls" VALUES(20,1702,17,NULL,1473435797628,NULL,1430662641,3901075091,4,3901075091,4,20,2380,0,534506,1,1702);
INSERT INTO "calls" VALUES(21,2202,26,NULL,1895656234100,NULL,1711493942,'01277694',4,'01277694',4,21,1002,747,72507,3,X'03B9EC84A000004000800000000000089A');
INSERT INTO "calls" VALUES(22,1559,33,NULL,5394377462221,NULL,1423505156,11016772,3,11016772,3,22,1671,0,609506,1,X'033C056853000040008000000000000617');
INSERT INTO "calls" VALUES(23,1557,36,NULL,1539794459645,-9223370497060316707,1929310328,11045889,'sip:+11045889@198.51.100.7',11045889,'sip:+11045889@198.51.100.7',23,1473,155,115250,3,'1557@host.example');
INSERT INTO "calls" VALUES(24,1602,37,NULL,3461613006757,7000000,2152746810,NULL,'091520081',491520081,2,24,246,0,550250,1,'1602@host.example');
CREATE TABLE conflicts (position INTEGER PRIMARY KEY, first_position INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE dial_forms (id INTEGER PRIMARY KEY, prefix TEXT NOT NULL, dropped INTEGER NOT NULL);
INSERT INTO "dial_forms" VALUES(1,'011',0);
INSERT INTO "dial_forms" VALUES(2,'0',1);
INSERT INTO "dial_forms" VALUES(3,'+',0);
INSERT INTO "dial_forms" VALUES(4,'',0);
INSERT INTO "dial_forms" VALUES(5,'00',0);
CREATE TABLE directories (
    slot INTEGER PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL,
    effective_from INTEGER, activated_at INTEGER NOT NULL, activated_by TEXT NOT NULL
);
CREATE TABLE flushes (
    number        INTEGER PRIMARY KEY,
    from_position INTEGER NOT NULL,
    upto_position INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    first_row     INTEGER NOT NULL,   -- of `calls`; meaningless where calls = 0
    calls         INTEGER NOT NULL
);
INSERT INTO "flushes" VALUES(1,0,801,801,1,8);
INSERT INTO "flushes" VALUES(2,801,1602,1602,9,8);
INSERT INTO "flushes" VALUES(3,1602,2403,2403,17,8);
CREATE TABLE late_calls (
    position INTEGER NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (position, row)
) WITHOUT ROWID;
INSERT INTO "late_calls" VALUES(758,11);
INSERT INTO "late_calls" VALUES(1554,19);
INSERT INTO "late_calls" VALUES(1557,23);
INSERT INTO "late_calls" VALUES(1559,22);
CREATE TABLE locators (id INTEGER PRIMARY KEY, runs BLOB NOT NULL);
INSERT INTO "locators" VALUES(4294967300,X'00010001080000020400000117020000010100010200000104000001');
INSERT INTO "locators" VALUES(8589934597,X'00020001080200010C010001020100010902000001010001180000010E000001');
INSERT INTO "locators" VALUES(12884901892,X'000200010A0000010C01000104000001120000010E0200010600000102010001');
CREATE TABLE nodes (id INTEGER PRIMARY KEY, name NOT NULL);
INSERT INTO "nodes" VALUES(1,'sbc-fra');
INSERT INTO "nodes" VALUES(2,'lab');
INSERT INTO "nodes" VALUES(3,'');
CREATE TABLE ratings (
    id           INTEGER PRIMARY KEY,
    period       INTEGER NOT NULL,    -- 202610
    leg          INTEGER NOT NULL,    -- 0 outbound, 1 inbound
    call_type    INTEGER NOT NULL,
    cost_scale   INTEGER NOT NULL,    -- calls.cost counts 10^-cost_scale of the currency
    currency     TEXT    NOT NULL,
    decimals     INTEGER NOT NULL,    -- to which costs were rounded
    rule         INTEGER NOT NULL,    -- 6 to 12
    tariff_slot  INTEGER NOT NULL,
    plan_index   INTEGER NOT NULL,
    row_index    INTEGER,
    tariff       TEXT NOT NULL,       -- BLAKE3 of the image
    plan         TEXT NOT NULL,
    deck         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    destination  TEXT NOT NULL,
    step_mode    TEXT NOT NULL,
    initial      INTEGER NOT NULL,
    increment    INTEGER NOT NULL,
    minimum      INTEGER NOT NULL,
    free_below   INTEGER NOT NULL,    -- microseconds
    rate         INTEGER NOT NULL,    -- nano-units a minute
    connect_fee  INTEGER NOT NULL,    -- nano-units
    minimum_cost INTEGER,
    maximum_cost INTEGER
);
INSERT INTO "ratings" VALUES(1,202611,1,1,2,'EUR',2,8,1,2,7,'blake3:0001','plan2','world','7','Place 7','up',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(2,202610,1,4,6,'USD',6,10,1,2,4,'blake3:0001','plan2','world','4','Place 4','up',60,6,30,1500,20000000,0,5,NULL);
INSERT INTO "ratings" VALUES(3,202610,1,4,9,'USD',9,10,0,2,7,'blake3:0000','plan2','world','7','Place 7','up',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(4,202610,1,7,6,'USD',6,11,0,0,NULL,'blake3:0000','plan0','','','','nearest',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(5,202610,1,6,6,'USD',6,8,0,2,10,'blake3:0000','plan2','world','10','Place 10','nearest',60,6,30,0,20000000,0,5,NULL);
INSERT INTO "ratings" VALUES(6,202611,0,4,9,'EUR',9,9,0,2,5,'blake3:0000','plan2','world','5','Place 5','nearest',60,6,30,0,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(7,202610,1,0,9,'EUR',9,8,0,0,18,'blake3:0000','plan0','world','18','Place 18','up',60,6,30,1500,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(8,202610,0,6,6,'EUR',6,10,1,2,10,'blake3:0001','plan2','world','10','Place 10','nearest',60,6,30,1500,0,0,5,NULL);
INSERT INTO "ratings" VALUES(9,202611,1,0,4,'EUR',4,6,1,2,NULL,'blake3:0001','plan2','','','','up',60,6,30,1500,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(10,202611,0,2,2,'EUR',2,12,0,2,NULL,'blake3:0000','plan2','','','','up',60,6,30,1500,0,0,5,NULL);
INSERT INTO "ratings" VALUES(11,202610,0,5,9,'USD',9,6,0,0,4,'blake3:0000','plan0','world','4','Place 4','up',60,6,30,1500,20000000,0,NULL,NULL);
INSERT INTO "ratings" VALUES(12,202610,0,6,0,'USD',0,9,0,1,6,'blake3:0000','plan1','world','6','Place 6','up',60,6,30,1500,20000000,0,NULL,NULL);
INSERT INTO "ratings" VALUES(13,202609,0,2,4,'USD',4,11,0,2,11,'blake3:0000','plan2','world','11','Place 11','nearest',60,6,30,0,20000000,0,5,NULL);
INSERT INTO "ratings" VALUES(14,202610,1,7,2,'USD',2,10,0,0,8,'blake3:0000','plan0','world','8','Place 8','nearest',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(15,202609,0,3,2,'USD',2,10,1,2,14,'blake3:0001','plan2','world','14','Place 14','nearest',60,6,30,1500,20000000,0,NULL,NULL);
INSERT INTO "ratings" VALUES(16,202609,1,0,2,'USD',2,7,0,2,4,'blake3:0000','plan2','world','4','Place 4','up',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(17,202611,1,4,9,'USD',6,11,1,0,1,'blake3:0001','plan0','world','1','Place 1','up',60,6,30,1500,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(18,202609,0,0,0,'EUR',0,8,1,2,12,'blake3:0001','plan2','world','12','Place 12','up',60,6,30,1500,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(19,202610,1,3,9,'EUR',9,6,1,1,NULL,'blake3:0001','plan1','','','','nearest',60,6,30,1500,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(20,202609,1,4,9,'USD',9,8,0,0,6,'blake3:0000','plan0','world','6','Place 6','nearest',60,6,30,0,123456789,0,NULL,NULL);
INSERT INTO "ratings" VALUES(21,202609,0,0,9,'EUR',9,6,0,0,1,'blake3:0000','plan0','world','1','Place 1','nearest',60,6,30,1500,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(22,202611,1,6,6,'EUR',6,12,0,0,10,'blake3:0000','plan0','world','10','Place 10','nearest',60,6,30,0,0,0,NULL,NULL);
INSERT INTO "ratings" VALUES(23,202609,0,0,9,'EUR',9,7,0,2,3,'blake3:0000','plan2','world','3','Place 3','up',60,6,30,0,20000000,0,NULL,NULL);
INSERT INTO "ratings" VALUES(24,202610,0,7,0,'EUR',0,10,0,2,16,'blake3:0000','plan2','world','16','Place 16','up',60,6,30,1500,20000000,0,NULL,NULL);
CREATE TABLE retried (
    position INTEGER NOT NULL, leg INTEGER NOT NULL, attempt INTEGER NOT NULL,
    PRIMARY KEY (position, leg)
) WITHOUT ROWID;
CREATE TABLE schema_version (version INTEGER PRIMARY KEY);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE segments (
    id         INTEGER PRIMARY KEY,
    level      INTEGER NOT NULL,
    first_row  INTEGER NOT NULL,
    calls      INTEGER NOT NULL,
    period_min INTEGER NOT NULL,
    period_max INTEGER NOT NULL
);
INSERT INTO "segments" VALUES(1,0,1,8,202610,202611);
INSERT INTO "segments" VALUES(2,0,9,8,202609,202611);
INSERT INTO "segments" VALUES(3,0,17,8,202609,202611);
CREATE TABLE sources (
    position INTEGER NOT NULL, source INTEGER NOT NULL, profile TEXT NOT NULL,
    PRIMARY KEY (position, source)
) WITHOUT ROWID;
CREATE TABLE state (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    flush    INTEGER NOT NULL
);
INSERT INTO "state" VALUES(1,2403,3);
CREATE TABLE suspense (
    row                 INTEGER PRIMARY KEY,
    position            INTEGER NOT NULL,
    leg                 INTEGER NOT NULL,
    reason              TEXT    NOT NULL,
    attempt             INTEGER NOT NULL,
    account             INTEGER,
    period              INTEGER,          -- of a leg
    answer              INTEGER,
    received_at         INTEGER NOT NULL,
    source_profile      INTEGER NOT NULL,
    node                NOT NULL,
    call_id             NOT NULL,
    source_dialled      NOT NULL,
    destination_dialled NOT NULL,
    detail              TEXT    NOT NULL,
    record              BLOB    NOT NULL
);
CREATE TABLE tariffs (
    slot INTEGER PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL,
    effective_from INTEGER, activated_at INTEGER NOT NULL, activated_by TEXT NOT NULL
);
CREATE TABLE usage (
    period           INTEGER NOT NULL,
    account          INTEGER NOT NULL,
    billing_group    INTEGER NOT NULL,   -- whose allowance the calls drew
    call_type        INTEGER NOT NULL,
    currency         TEXT    NOT NULL,
    decimals         INTEGER NOT NULL,   -- in which amounts are shown
    calls            INTEGER NOT NULL,
    talk             INTEGER NOT NULL,   -- microseconds
    billable_seconds INTEGER NOT NULL,
    cost_units       INTEGER NOT NULL,   -- whole units, rounded down; exact together with
    cost_nanos       INTEGER NOT NULL,   -- 0 to 999 999 999
    PRIMARY KEY (period, account, billing_group, call_type, currency)
) WITHOUT ROWID;
CREATE TABLE usage_recent (
    row INTEGER PRIMARY KEY, period INTEGER NOT NULL, owner INTEGER NOT NULL, lines TEXT NOT NULL
);
INSERT INTO "usage_recent" VALUES(16777216,202610,8,'[[202610,8,4,4,"USD",9,2,1957645532,4669,0,882516250],[202610,10,5,7,"USD",6,1,3750580899,24,0,505925000],[202610,21,10,6,"USD",6,1,3639410682,797,0,80084000],[202610,22,11,0,"EUR",9,1,1254748240,1902,0,0],[202610,22,11,1,"EUR",9,0,0,1053,0,205943],[202610,24,999,6,"EUR",6,1,2416278547,3633,0,484984000],[202611,4,2,1,"EUR",2,1,1910648185,316,2941,740000000],[202611,21,10,4,"EUR",9,1,2996042160,3383,0,873797]]');
INSERT INTO "usage_recent" VALUES(33554432,202609,20,'[[202609,20,10,2,"USD",4,1,2831390308,2439,-5,641400000],[202609,32,16,3,"USD",2,1,3869716366,3754,4203,930000000],[202609,39,19,0,"USD",2,1,206462613,202,0,0],[202609,39,19,1,"USD",2,0,0,1079,7356,930000000],[202610,15,7,5,"USD",9,1,3990079694,71,0,473700],[202610,16,8,6,"USD",0,1,3154285689,2463,308113,0],[202610,20,10,7,"USD",2,1,2323372471,1411,4959,480000000],[202611,5,2,0,"EUR",4,1,808706724,4,0,0],[202611,5,2,1,"EUR",4,0,0,32,10,246400000],[202611,9,4,2,"EUR",2,1,2988526932,992,9569,190000000]]');
INSERT INTO "usage_recent" VALUES(50331648,202609,9,'[[202609,9,4,0,"EUR",0,1,1329355193,1902,0,0],[202609,9,4,1,"EUR",0,0,0,829,939356,0],[202609,17,8,4,"USD",9,1,1430662641,2380,0,534506],[202609,26,13,0,"EUR",9,1,1711493942,747,0,0],[202609,26,13,1,"EUR",9,0,0,255,0,72507],[202609,36,18,0,"EUR",9,1,1929310328,155,0,0],[202609,36,18,1,"EUR",9,0,0,1318,0,115250],[202610,15,7,3,"EUR",9,1,482341523,1640,0,627144],[202610,15,7,5,"USD",9,1,3990079694,71,0,473700],[202610,37,18,7,"EUR",0,1,2152746810,246,550250,0],[202611,4,2,1,"EUR",2,1,1910648185,316,2941,740000000],[202611,4,2,4,"USD",6,1,44633871,2316,0,485361001],[202611,33,16,6,"EUR",6,1,1423505156,1671,0,609506000]]');
CREATE INDEX flushes_by_position ON flushes (upto_position);
CREATE UNIQUE INDEX suspense_by_key ON suspense (position, leg);
CREATE INDEX suspense_by_reason ON suspense (reason, position, leg);
COMMIT;
